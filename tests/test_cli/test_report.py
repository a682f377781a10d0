"""`difflut report`: what it writes and prints, and one clear message for everything unusable."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run
from convolutions import Plan, Step
from convolutions import made as made_convolution
from report_builds import complete, export
from small_models import Chain, SmallImages, fitted
from tools import require_package

from difflut.export.builds import store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete build in a folder whose name is not ASCII."""
    folder = tmp_path_factory.mktemp("report") / "netz größe"
    complete(Chain(), folder)
    return folder


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    require_package("matplotlib", "report")
    shutil.copytree(made, tmp_path / made.name)
    return tmp_path / made.name


def words(page: str) -> str:
    """The text of a page, without its pictures."""
    page = re.sub(r"<(svg|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_page_in_the_build(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "report", build)
    page = build / "work" / "report.html"
    assert (status, out) == (0, f"chain -> {page}\n")
    text = page.read_text(encoding="utf-8")
    # Self-contained: nothing is fetched, nothing runs.
    assert not re.findall(r"<script|<link(?! rel=\"icon\" href=\"data:)|@import|url\((?!#)", text)
    assert {value[:5] for value in re.findall(r'(?:src|href)="([^"#][^"]*)', text)} <= {"data:"}
    shown = words(text)
    digest = store.read(build).digest
    for expected in (
        "20 LUT4 synthesised: ecp5 by Yosys 0.70",
        "75.00 % netlist: 75.00 % of 100 samples of made-up samples RTL: 75.00 % of the first 60 samples of made-up",
        "proved RTL = traced model for all inputs, 1 claims proved",
        "Icarus ran the RTL on 60 samples of made-up samples and 20 of random codes on 2026-01-02",
        f"Build {digest}",
        "the class is &lt;right&gt;",
        "✓ RTL against PyTorch, icarus",
    ):
        assert expected in shown, expected
    assert "Not in this report" not in shown
    # The page is no part of the export: the build is still whole.
    assert store.read(build).digest == digest


def test_the_same_build_gives_the_same_page(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.html", "b.html"):
        assert run(capsys, "report", build, "--out", build.parent / name)[0] == 0
    assert (build.parent / "a.html").read_bytes() == (build.parent / "b.html").read_bytes()


def test_json_and_images(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "report", build, "--images", tmp_path / "bilder ü", "--json")
    result = json.loads(out)
    assert status == 0 and result["missing"] == [] and Path(result["page"]).is_file()
    files = sorted((tmp_path / "bilder ü").iterdir())
    assert sorted(result["images"]) == [str(file) for file in files]
    assert {file.stem for file in files} == {
        "comparisons", "readers", "per_input", "thresholds", "luts", "luts_yosys_ecp5", "stages", "confusion", "scores",
        "margins",
    }  # fmt: skip
    for file in files:
        content = file.read_bytes()
        assert content.startswith(b"\x89PNG") if file.suffix == ".png" else b"<svg" in content
    found = {(item["group"], item["name"]): item["value"] for item in result["numbers"]}
    assert found["Accuracy", "accuracy, RTL"] == 75.0
    assert found["Synthesis, yosys-ecp5", "LUTs"] == 20
    (clock,) = [item for item in result["numbers"] if item["name"] == "clock, synthesised"]
    assert clock["value"] == 200.0
    assert (clock["known"], clock["on"]) == ("synthesised", "synthesised: ecp5 by Yosys 0.70, before placement")


def test_what_is_missing_or_stale_is_named(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(fitted(Chain(), seed=1), tmp_path / "new")
    shutil.copytree(build / "work", tmp_path / "new" / "work")
    status, out, _ = run(capsys, "report", tmp_path / "new")
    assert status == 0
    assert (
        "  missing: Measurement on the RTL: there is one of another build of 2026-01-02, which is stale; "
        f"make it with difflut verify {tmp_path / 'new'} --model small_models:Chain --data DIR\n"
    ) in out
    shown = words((tmp_path / "new" / "work" / "report.html").read_text(encoding="utf-8"))
    assert "Nothing measured on this RTL is kept in the build" in shown
    assert "Is it exact? not checked" in shown
    assert "No check of this build is kept in it" in shown
    assert "made-up samples" not in shown, "a stale figure is shown"


def test_against_another_build(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(fitted(Chain()), tmp_path / "other", fpga="xcup", pipeline="sum1,argmax2")
    page = tmp_path / "page.html"
    status, _, _ = run(capsys, "report", tmp_path / "other", "--against", build, "--out", page)
    shown = words(page.read_text(encoding="utf-8"))
    assert status == 0
    assert "FPGA family xcup generic" in shown and "pipeline sum1,argmax2 auto" in shown
    assert "accuracy, RTL – 75.00 % –" in shown
    here, there = (store.read(folder).info.latency_cycles for folder in (tmp_path / "other", build))
    assert here < there
    percent = f"{100 * (here - there) / there:.1f}".replace("-", "−")
    cycles = "cycle" if there - here == 1 else "cycles"
    assert f"latency {here} cycles {there} cycles −{there - here} {cycles} ({percent} %)" in shown
    status, _, _ = run(capsys, "report", build, "--against", build, "--out", page)
    assert status == 0 and "No option differs" in words(page.read_text(encoding="utf-8"))


def test_a_streaming_build_against_the_unrolled_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_package("matplotlib", "report")
    model = made_convolution(Plan((1, 4, 4), (Step(2, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2))), read=(1, 2)))
    stream = complete(model, tmp_path / "stream", form="streaming").info
    whole = export(model, tmp_path / "whole").info
    status, out, err = run(capsys, "report", tmp_path / "stream", "--against", tmp_path / "whole")
    assert (status, err) == (0, ""), out
    shown = words((tmp_path / "stream" / "work" / "report.html").read_text(encoding="utf-8"))
    form, interval = stream.schedule, stream.initiation_interval
    for expected in (
        f"an image of 16 pixels every {interval} cycles; {form.pause_cycles} of them take no pixel",
        "2 2 × 2 windows of map 1, stride 2 × 2 2 2 × 2",
        f"line buffers {form.line_buffer_bits} bits",
        f"window registers, before synthesis drops unread ones {form.window_bits} bits",
        f"registers for what the dense part reads {form.collected_bits} bits",
        f"from the edge that takes the last pixel to the result {stream.latency_cycles} cycles",
        "This build takes an image a pixel at a time, the other one whole.",
        "form streaming unrolled",
        "samples enter a pixel at a time whole",
        f"initiation interval {interval} cycles 1 cycle +{interval - 1} cycles",
        f"LUTs in the netlist {stream.netlist.luts} {whole.netlist.luts} ",
        "LUTs of kernel 1",
    ):
        assert expected in shown, expected
    status, _, err = run(capsys, "report", tmp_path / "whole", "--against", tmp_path / "stream")
    assert (status, err) == (0, "")
    shown = words((tmp_path / "whole" / "work" / "report.html").read_text(encoding="utf-8"))
    assert "This build takes an image whole, the other one a pixel at a time." in shown
    assert "How an image flows through it" not in shown


@pytest.mark.parametrize("model", [Chain(layers=((1, 1),), classes=1), SmallImages()], ids=["one class", "images"])
@pytest.mark.parametrize("outputs", ["scores", "class", "top-1"])
def test_every_kind_of_output(tmp_path: Path, capsys: pytest.CaptureFixture[str], model: Chain, outputs: str) -> None:
    require_package("matplotlib", "report")
    complete(
        type(model)() if isinstance(model, SmallImages) else Chain(layers=((1, 1),), classes=1),
        tmp_path / "net",
        outputs=outputs,
    )
    status, out, err = run(capsys, "report", tmp_path / "net")
    assert (status, err) == (0, ""), out


def test_usage_errors(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run(capsys, "report", tmp_path / "nowhere")
    assert status == 2 and err.endswith("nowhere: no such directory; expected one made by `difflut export`\n")
    status, _, err = run(capsys, "report", build, "--against", tmp_path)
    assert status == 2 and "has no build.json" in err
    status, _, err = run(capsys, "report", build, "--out", tmp_path / "no" / "page.html")
    assert status == 2 and "cannot write" in err and "choose a folder that exists" in err
    (tmp_path / "file").write_text("in the way")
    status, _, err = run(capsys, "report", build, "--images", tmp_path / "file")
    assert status == 2 and "cannot create" in err
    for option in ("--out", "--images"):
        status, _, err = run(capsys, "report", build, option, build / "rtl" / "page")
        assert status == 2 and f"{option} {build / 'rtl' / 'page'}: lies in the build {build}, which would count" in err
    assert run(capsys, "report", build, "--out", build / "work" / "page.html")[0] == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = run(capsys, "report", build)
    assert status == 2 and err.startswith("error: drawing needs matplotlib (")
    assert err.endswith("): pip install 'difflut[report]'\n")
    with (build / "rtl" / "chain.v").open("a") as file:
        file.write("// edited\n")
    status, _, err = run(capsys, "report", build)
    assert status == 2 and "differs from what was exported" in err


def test_no_torch_is_loaded(build: Path) -> None:
    code = (
        "import sys; from difflut.cli import main\n"
        "try: main(['report', sys.argv[1]])\n"
        "finally: sys.exit(3 if 'torch' in sys.modules else 0 if sys.exc_info()[0] is None else 1)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(build)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
