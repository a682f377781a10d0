"""The Python door: the way from a live model to a report, and how everything on the way shows itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from small_models import Chain, SmallImages, fitted, random_codes
from tools import require_icarus, require_package
from torch import Tensor

import difflut
from difflut import BaseModel, GroupSum, LUTLayer, StoredBuild
from difflut.check.builds import open_build
from difflut.data import Dataset, Split
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.inspect.circuits import open_circuit
from difflut.inspect.input_trace import trace_input
from difflut.inspect.show import describe
from difflut.report import read_facts
from difflut.shown import MOST_COLUMNS, MOST_LINES, Shown
from difflut.training import predict


class Live(BaseModel):
    """A model that no module has by a name, as in a notebook; its features have ranges of their own."""

    def __init__(self, features: int = 300) -> None:
        super().__init__("live", features, 3, input_bits=4)

    def _build_layers(self) -> None:
        self.layer = LUTLayer(self.encoder.output_width, 30, n=4)
        self.head = GroupSum(3)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.layer(self.encoder(x)))


def live(features: int = 300) -> Live:
    """Fitted on numbers; its class cannot be imported under the name that builds record."""
    model = Live(features)
    torch.manual_seed(0)
    model.fit_encoder(torch.randn(100, features))
    model.eval()
    return model


def labelled(model: BaseModel, samples: int = 20) -> Split:
    codes = random_codes(model, samples)
    return Split(codes, predict(model, codes).argmax(dim=1))


def test_the_whole_way_of_a_live_model(tmp_path: Path) -> None:
    require_icarus()
    for package in ("pyosys", "pysat", "matplotlib"):
        require_package(package, "dev")
    model = live(5)
    build = difflut.export_model(model, tmp_path / "net")
    checked = difflut.verify(build, labelled(model), data_name="mine", simulator="icarus", samples=10)
    assert checked.ok and checked.data == "mine" and [step.images for step in checked.steps] == [20, 10]
    assert difflut.prove(build).ok
    assert difflut.synthesise(build).total.luts > 0
    page = difflut.report(build)
    assert page.path.is_file()
    assert not {"verification", "proof", "synthesis"} & {item.what for item in page.facts.missing}
    assert difflut.trace(model).head.classes == 3


@pytest.mark.parametrize(
    "options",
    [{"form": "streaming"}, {"form": "folded=400"}, {"interface": "axi-stream"}, {"fpga": "ecp5", "outputs": "top-2"}],
    ids=str,
)
def test_every_option_of_an_export(tmp_path: Path, options: dict[str, Any]) -> None:
    """The function makes the build that the command makes."""
    model = fitted(SmallImages())
    build = difflut.export_model(model, tmp_path / "net", **options)
    assert build.digest == difflut.make_build(model, **options).digest == store.read(tmp_path / "net").digest
    assert difflut.verify(build, simulator="none").ok


def test_what_stands_for_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = live(5)
    build = difflut.export_model(model)
    assert Path(build) == build.directory == Path("build/live") and (build.directory / "build.json").is_file()
    for subject in (build, model):
        assert difflut.verify(subject, simulator="none").ok
    for place in ("build/live", Path("build/live"), StoredBuild("build/live")):
        assert difflut.verify(place, simulator="none", model=model).ok
    with pytest.raises(ConfigError, match=r"^got a int; expected a model, a build of export_model, or the path of a "):
        difflut.prove(3)  # type: ignore[arg-type]


def test_a_model_is_exported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = live(5)
    made = difflut.export_model(model, outputs="class").digest
    assert difflut.verify(model, simulator="none").digest == made, "the build that is there is of this model"
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.neg_()
    changed = difflut.verify(model, simulator="none")
    assert changed.ok and changed.digest != made


def test_a_model_that_goes_on_learning_leaves_its_build_alone(tmp_path: Path) -> None:
    """What was exported is compared, not what the live model is now."""
    model = live(5)
    build = difflut.export_model(model, tmp_path / "net")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.neg_()
    assert difflut.verify(build, simulator="none").ok
    assert open_build(build.directory, model).model is not model


def test_samples_of_all_kinds(tmp_path: Path) -> None:
    model = live(5)
    build = difflut.export_model(model, tmp_path / "net")
    split = labelled(model)
    x, y = split.x.numpy(), split.y.numpy()
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7])
    given = [(split, 20, "samples"), (Dataset("set", split, split), 20, "set"), ((x, y), 20, "samples")]
    given += [(tmp_path / "mine.npz", 7, "mine"), (None, 0, "random codes")]  # type: ignore[list-item]
    for data, images, name in given:
        report = difflut.verify(build, data, simulator="none")
        assert (report.steps[0].images, report.data, report.ok) == (images, name, True)
    with pytest.raises(ConfigError, match=r"^got a int as data; expected a Dataset, a Split, a pair \(x, y\) or the "):
        difflut.verify(build, 3, simulator="none")  # type: ignore[arg-type]


def test_options_of_flows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^synthesise: flow yosys has no option 'device'; it takes fpga, keep_luts$"):
        difflut.synthesise(tmp_path, device="x")
    with pytest.raises(ConfigError, match=r"^synthesise: unknown flow 'quartus'; known: yosys, nextpnr, vivado$"):
        difflut.synthesise(tmp_path, "quartus")


def test_the_package_of_reports_can_be_called(tmp_path: Path) -> None:
    """Whether a module of it was imported before or not; mypy sees a function."""
    code = """
import sys, difflut
from difflut.export.errors import BundleError
for step in ("difflut", "difflut.report.page"):
    __import__(step)
    try:
        difflut.report(sys.argv[1])
    except BundleError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("has no build.json") == 2


def parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Every object of difflut's classes in a value, itself first."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if type(value).__module__.startswith("difflut"):
        yield value
    inner: Any = ()
    if dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif hasattr(value, "__struct_fields__"):
        inner = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, Mapping):
        inner = [*value.values()]
    elif isinstance(value, (list, tuple)):
        inner = value
    for each in inner:
        yield from parts(each, seen)


def shown_objects(tmp_path: Path) -> Iterator[Any]:
    """What people hold in their hands, of a model whose every feature has a format of its own."""
    model = live()
    split = Split(torch.randn(500, 300), torch.zeros(500, dtype=torch.int64))
    build = difflut.export_model(model, tmp_path / "net")
    opened = open_build(build.directory, model)
    yield from (
        model.input_format,
        model.encoder_report,
        split,
        Dataset("set", split, split),
        build,
        build.build,
        opened,
    )
    yield from (build.build.design, build.build.circuit, build.build.traced, difflut.trace(model))
    images = difflut.make_build(fitted(SmallImages()), form="folded=400", interface="axi-stream")
    yield from (images, images.circuit)
    yield difflut.verify(build, labelled(model), simulator="none")
    yield read_facts(build.directory)
    circuit = open_circuit(str(build))
    yield from (circuit, describe(circuit, "L1.0"), trace_input(circuit, np.zeros(300, np.int64)))


def test_every_repr_fits_a_screen(tmp_path: Path) -> None:
    kinds: dict[type, str] = {}
    seen: set[int] = set()
    for held in shown_objects(tmp_path):
        for value in parts(held, seen):
            if isinstance(value, torch.nn.Module):
                continue  # torch shows its modules
            shown = repr(value)
            kinds[type(value)] = max(kinds.get(type(value), ""), shown, key=len)
            assert len(shown) <= 2500 and shown.count("\n") < MOST_LINES, (type(value), len(shown))
            if html := getattr(value, "_repr_html_", None):
                assert html().startswith("<") and len(html()) < 4000
    assert len(kinds) > 40
    assert "compare_feature=int32 (" in kinds[type(difflut.trace(live()))]


class Long(Shown):
    """One with too much to show."""

    def lines(self) -> list[str]:
        return ["a title", *(f"<{number}> " + "x" * 300 for number in range(100))]


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    lines = repr(Long()).split("\n")
    assert (len(lines), max(map(len, lines)), lines[0]) == (MOST_LINES, MOST_COLUMNS, "a title")
    assert lines[-1] == "... and 62 lines more, which are in .text"
    assert Long().text.count("\n") == 100
    assert Long()._repr_html_().startswith("<b>a title</b><pre") and "&lt;0&gt; xxx" in Long()._repr_html_()


def test_the_command_line_prints_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(Chain()).save_checkpoint(tmp_path / "net.safetensors")
    named = ("--model", "small_models:Chain")
    status, out, _ = run(capsys, "export", tmp_path / "net.safetensors", *named, "--out", tmp_path / "net")
    build = StoredBuild(tmp_path / "net")
    assert status == 0 and out == f"{build.text}\nnext: difflut verify {build} --model small_models:Chain\n"
    _, out, _ = run(capsys, "verify", build, *named, "--random-only", "--simulator", "none")
    assert out == f"{difflut.verify(build, model='small_models:Chain', simulator='none').text}\n"
