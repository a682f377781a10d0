"""What `difflut export` can do, `export_model` can do: every form, interface and option gives the same bytes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from convolutions import Long
from small_models import fitted

from difflut.cli import export_command, import_command
from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.interfaces.framing import Stream
from difflut.export.schedule.forms import Folded, Form, Streaming
from difflut.export.schedule.pipelining import Pipeline
from difflut.models import BaseModel

# Option of the command -> parameter of `make_build` or `export_model`.
PARAMETERS = {
    "source": "model",
    "out": "out",
    "name": "name",
    "target": "target",
    "interface": "interface",
    "stream_width": "stream",
    "stream_output": "stream",
    "registers": "stream",
    "fpga": "fpga",
    "device": "fpga",
    "outputs": "outputs",
    "clock_enable": "clock_enable",
    "pipeline": "pipeline",
    "fmax": "pipeline",
    "latency": "pipeline",
    "conv": "form",
}
# Of the command line alone: a proof is `difflut.export.proof.build.prove`, a class is needed for a file only.
# and what is said of files of other libraries, as to the command that imports them
OF_FILES = {str(parameter.name) for parameter in import_command.command.params} - {"out", "name"}
OF_THE_COMMAND = {"prove_it", "model_class", "as_json", *OF_FILES}
OF_THE_FUNCTION = {"samples"}  # a tensor


@pytest.fixture(scope="module")
def model() -> BaseModel:
    return fitted(Long())


@pytest.fixture(scope="module")
def checkpoint(model: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("options") / "stack.safetensors"
    model.save_checkpoint(path)
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_same(
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    model: BaseModel,
    arguments: list[str],
    options: dict[str, Any],
) -> None:
    """The command with `arguments` and the function with `options` write the same files."""
    folder = checkpoint.parent
    chosen = ["--model", "convolutions:Long", "--out", str(folder / "command"), *arguments]
    status, _, err = run(capsys, "export", checkpoint, *chosen)
    assert (status, err) == (0, "")
    assert export_model(model, folder / "function", **options) == folder / "function"
    assert content(folder / "command") == content(folder / "function")
    assert make_build(model, **options).digest == store.read(folder / "command").digest


@pytest.mark.parametrize("interface", ["plain", "axi-stream"])
@pytest.mark.parametrize(
    ("conv", "form"),
    [("unrolled", Form()), ("streaming", Streaming()), ("folded=8", Streaming(2)), ("folded=25", Folded(25))],
)
def test_every_form_and_interface(
    capsys: pytest.CaptureFixture[str], checkpoint: Path, model: BaseModel, conv: str, form: Form, interface: str
) -> None:
    arguments = ["--conv", conv, "--interface", interface]
    assert_same(capsys, checkpoint, model, arguments, {"form": conv, "interface": interface})
    build = store.read(checkpoint.parent / "command")
    assert (build.info.schedule.form, build.info.interface) == (form.name, interface)
    assert make_build(model, form=form, interface=interface).digest == build.digest


OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "--target verilog --fpga xcup --outputs top-2": {"target": "verilog", "fpga": "xcup", "outputs": "top-2"},
    "--pipeline encoder,argmax1": {"pipeline": "encoder,argmax1"},
    "--pipeline auto --fpga ecp5": {"pipeline": "auto", "fpga": "ecp5"},
    "--fmax 50 --fpga ice40": {"pipeline": Pipeline("auto", fmax_mhz=50.0), "fpga": "ice40"},
    "--latency 2 --outputs class": {"pipeline": Pipeline("auto", latency_cycles=2), "outputs": "class"},
    "--interface axi-stream --stream-width 64 --stream-output class": {
        "interface": "axi-stream",
        "stream": Stream(64, "class"),
    },
    "--interface axi-stream --stream-width 16 --conv streaming --latency 3": {
        "interface": "axi-stream",
        "stream": Stream(16),
        "form": "streaming",
        "pipeline": Pipeline("auto", latency_cycles=3),
    },
}


@pytest.mark.parametrize("arguments", OPTIONS)
def test_every_other_option(
    capsys: pytest.CaptureFixture[str], checkpoint: Path, model: BaseModel, arguments: str
) -> None:
    assert_same(capsys, checkpoint, model, arguments.split(), OPTIONS[arguments])


def test_no_option_is_forgotten() -> None:
    """An option that the command gains has a parameter of the function, and the other way round."""
    of_command = {parameter.name for parameter in export_command.command.params}
    assert of_command - OF_THE_COMMAND == set(PARAMETERS)
    of_function = {*inspect.signature(make_build).parameters, *inspect.signature(export_model).parameters} - {"options"}
    assert of_function - OF_THE_FUNCTION == set(PARAMETERS.values())


def test_the_documented_lines(model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "custom-models.md").read_text(encoding="utf-8")
    (source,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "export_model" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "custom-models.md", "exec"), {"model": model})  # noqa: S102 (the page is ours)
    first, second = (store.read(f"build/{name}").info for name in ("net", "small"))
    assert (first.schedule.form, first.interface, first.fpga) == ("unrolled", "plain", "generic")
    assert (second.schedule.form, second.interface, second.fpga) == ("folded", "axi-stream", "ecp5")
