"""`difflut play`: where the page goes, which samples it has, and one clear message for everything unusable."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from msgspec.structs import replace
from report_builds import export
from small_models import Chain, fitted

import difflut
from difflut.data import Split
from difflut.errors import ConfigError, DataError
from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.playing import packed
from difflut.playing.samples import chosen_samples
from difflut.playing.subject import of_build, of_model

CHAIN = ("--model", "small_models:Chain")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build, its checkpoint and samples as numbers in a folder whose name is not ASCII."""
    folder = tmp_path_factory.mktemp("größe")
    model = fitted(Chain())
    export(model, folder / "net")
    model.save_checkpoint(folder / "chain.safetensors")
    generator = np.random.default_rng(0)
    x, y = generator.random((40, 6)).astype(np.float32), generator.integers(0, 4, 40)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    np.savez(folder / "wide.npz", x_train=x[:, :5], y_train=y, x_test=x[:, :5], y_test=y)
    return folder


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


def test_a_page_in_a_build(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "play", made / "net")
    page = made / "net" / "work" / "circuit.html"
    assert status == 0 and out.startswith(f"chain -> {page}\n  4 samples to choose from, 0.0")
    assert data_of(page)["samples"]["names"] == [f"random codes {number}" for number in range(1, 5)]
    first = page.read_bytes()
    assert run(capsys, "play", made / "net")[0] == 0 and page.read_bytes() == first
    store.read(made / "net")  # it is still whole


def test_a_checkpoint_with_samples(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = ("--data", made / "data.npz", "--samples", 6, "--json")
    status, out, _ = run(capsys, "play", made / "chain.safetensors", *CHAIN, *data)
    page = Path("build/chain.html")
    assert status == 0 and json.loads(out) == {"page": str(page), "samples": 6, "bytes": page.stat().st_size}
    samples = data_of(page)["samples"]
    assert samples["labels"] == ["0", "1", "2", "3", "0", "1"] and samples["classes"] == [0, 1, 2, 3, 0, 1]
    labels = np.load(made / "data.npz")["y_test"]
    places = [int(name.rsplit(" ", 1)[1]) for name in samples["names"]]
    assert places[:4] == [int(np.flatnonzero(labels == k)[0]) for k in range(4)]
    assert places[4] == int(np.flatnonzero(labels == 0)[1])
    assert samples["names"][0] == f"data, test sample {places[0]}"


def test_from_python(made: Path, tmp_path: Path) -> None:
    x, y = (np.load(made / "data.npz")[name] for name in ("x_test", "y_test"))
    model = fitted(Chain())
    shown = difflut.play(model, tmp_path / "a.html", data=(x, y), data_name="mine", samples=5)
    assert repr(shown).startswith(f"chain -> {tmp_path / 'a.html'}\n  5 samples")
    value = data_of(tmp_path / "a.html")
    assert value["samples"]["names"][0].startswith("mine, test sample ")
    difflut.play(made / "net", tmp_path / "b.html", data=(x, y), data_name="mine", samples=5)
    assert data_of(tmp_path / "b.html") == value  # the same circuit
    with pytest.raises(ConfigError, match=r"samples: got 0; a page takes 1 to 1000"):
        difflut.play(model, tmp_path / "c.html", data=(x, y), samples=0)
    with pytest.raises(ConfigError, match=r"got a int; expected a model, a build of export_model"):
        difflut.play(3)  # type: ignore[arg-type]


def test_shipped_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, _ = run(capsys, "play", "mnist_bitflip_0", "--samples", 10, "--out", tmp_path / "m.html")
    value = data_of(tmp_path / "m.html")
    assert status == 0 and value["samples"]["classes"] == list(range(10))
    assert value["image"] == {"channels": 1, "rows": 28, "columns": 28, "strides": [784, 28, 1]}


def test_what_is_unusable(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.html"
    cases = {
        ("net", "--out", made / "net" / "x.html"): "lies in the build",
        (
            "net",
            "--data",
            made / "wide.npz",
            "--out",
            out,
        ): "wide: a sample is float32 (5,); expected 6 features",
        ("net", "--samples", "0"): "0 is not in the range",
        ("net", "--download", "--out", out): "--download needs a directory to put the data into; give --data DIR",
        ("none", "--out", out): "unknown model",
    }
    for (source, *options), message in cases.items():
        status, _, err = run(capsys, "play", made / source if source == "net" else source, *options)
        assert status == 2 and message in err, (source, options, err)
    for what, limit in (("bits and codes to show", "MOST_SHOWN"), ("bits to compute", "MOST_COMPUTED")):
        with monkeypatch.context() as patch:
            patch.setattr(packed, limit, 10)
            status, _, err = run(capsys, "play", made / "net", "--out", out)
        shape = rf"error: circuit 'chain' has \d+ {what} for a sample; a page takes at most 10: see single samples with"
        assert status == 2 and re.match(shape, err), err
    assert not out.exists()


def test_a_build_that_contradicts_itself(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = store.read(made / "net")
    (head,) = build.info.output.heads
    output = replace(build.info.output, heads=(replace(head, results=3),))
    store.write(Build.of(replace(build.info, output=output), build.files), tmp_path / "net")
    status, _, err = run(capsys, "play", tmp_path / "net")
    expected = "its circuit does not have the inputs and scores of its build.json; export again"
    assert (status, err) == (2, f"error: {tmp_path / 'net'}: {expected}\n")
    assert not (tmp_path / "net" / "work").exists()


def test_samples_of_another_kind(made: Path) -> None:
    subject = of_build(made / "net")
    floats = difflut_split(np.full((3, 6), np.nan, np.float32), [0, 1, 2])
    with pytest.raises(DataError, match="bad: holds values that are not finite"):
        chosen_samples(subject, floats, "bad", 3)
    with pytest.raises(ValueError, match="codes run from 300 to 300; expected 0 to 255"):
        chosen_samples(subject, difflut_split(np.full((3, 6), 300), [0, 1, 2]), "bad", 3)
    targets = difflut_split(np.zeros((3, 6), np.uint8), [[0.5, 1], [2, 3], [4, 5]])
    chosen = chosen_samples(of_model(fitted(Chain())), targets, "t", 2)
    assert (chosen.labels, chosen.classes) == (("0.5, 1", "2, 3"), (-1, -1))


def difflut_split(x: Any, y: Any) -> Split:
    from difflut.data.given import split_of

    return split_of((x, np.asarray(y)))
