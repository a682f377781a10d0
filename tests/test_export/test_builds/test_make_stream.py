"""Streaming builds: what is in them, their verification through cocotb, and that wrong RTL is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run as command
from convolutions import Plan, Step, made
from small_models import Chain, fitted, random_codes
from tools import require_icarus, require_prover, require_verilator

from difflut.check.builds import rtl_interface, words_of
from difflut.check.replay import replay
from difflut.check.verification import verify
from difflut.data import Split
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.info import Pixels
from difflut.export.builds.make import make_build
from difflut.export.builds.store import NETLIST_FILE
from difflut.export.circuit.netlist import CodesError
from difflut.export.flows.shell import make_shell
from difflut.export.schedule.forms import Streaming
from difflut.files import write_atomically
from difflut.models import BaseModel, CIFAR10Conv, get_model
from difflut.sim import ProtocolError, RtlInterface, compare, run_rtl
from difflut.training import predict_scores

PLAN = Plan((1, 4, 4), (Step(2, (3, 3), padding=(1, 1)),))  # what Stack() is without arguments
TWO = Plan((2, 6, 5), (Step(4, (3, 3), padding=(1, 1)), Step(3, (2, 2), (2, 1))), read=(1, 2), bits=2)
POOLED = Plan(
    (1, 6, 8), (Step(2, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2)), Step(3, (3, 3), padding=(1, 1))), read=(1, 3)
)


def test_same_model_same_bytes() -> None:
    assert make_build(made(TWO), form="streaming").digest == make_build(made(TWO), form="streaming").digest


def test_build_json(tmp_path: Path) -> None:
    store.write(make_build(made(TWO), form="streaming"), tmp_path / "net")
    build = store.read(tmp_path / "net")
    info = build.info
    assert info.input.features == 2 and info.input.shape == (2, 6, 5)
    described = info.schedule
    assert isinstance(described, Pixels)
    assert (described.form, described.pixels) == ("streaming", 30)
    assert described.line_buffer_bits == 2 * 5 * 4 + 1 * 5 * 4  # rows, columns, channels of each layer's source
    assert described.window_bits == 9 * 4 + 4 * 4
    assert described.collected_bits == len(build.circuit.body_bits) == 36
    assert [layer.size for layer in described.maps] == [(4, 6, 5), (3, 3, 4)]
    assert info.initiation_interval == 30 + described.pause_cycles
    assert described.pixels_per_cycle == 1 and [layer.lanes for layer in described.maps] == [1, 1]
    assert NETLIST_FILE in build.files and build.circuit.name == "stack"
    assert "in_ready" in build.text("README.md")


def test_build_json_of_several_pixels_a_cycle(tmp_path: Path) -> None:
    store.write(make_build(made(TWO), form=Streaming(2)), tmp_path / "net")
    build = store.read(tmp_path / "net")
    info = build.info
    assert (info.input.features, info.input.shape) == (2 * 2, (2, 6, 5))
    described = info.schedule
    assert isinstance(described, Pixels)
    assert (described.pixels, described.pixels_per_cycle, described.words) == (30, 2, 18)
    assert described.line_buffer_bits == 2 * 6 * 4 + 1 * 6 * 4  # rows of three words of two pixels
    assert described.window_bits == 3 * 6 * 4 + 2 * 4 * 4  # three words of three rows, two of two
    assert described.collected_bits == 36
    assert [layer.lanes for layer in described.maps] == [2, 2]
    assert info.initiation_interval == 6 * 3 + described.pause_cycles
    netlist = build.circuit
    assert info.luts_of("kernel") == 2 * sum(layer.kernel.luts for layer in netlist.layers)
    assert info.netlist.comparators == 2 * 4
    interface = rtl_interface(build)
    assert (interface.words, interface.features) == (18, 4)
    codes = np.arange(2 * 60).reshape(2, 60)  # colour 1 of a pixel is 30 more than colour 0
    words = words_of(codes, interface)
    assert words.shape == (2 * 18, 4)
    assert words[[0, 1, 2, 3, 18]].tolist() == [
        [0, 30, 1, 31], [2, 32, 3, 33], [4, 34, 0, 30], [5, 35, 6, 36], [60, 90, 61, 91]
    ]  # fmt: skip
    readme = build.text("README.md")
    assert "a word of 2 pixels, 4 unsigned codes of 8 bits" in readme
    assert (
        "colour c of pixel p, the leftmost first, is the code at in_codes[8*(2*p + c) +: 8]; of the last word of a "
        "row only the low 1 count"
    ) in readme
    assert "[31:0]" in readme and "A word is taken at each rising edge" in readme


@pytest.mark.parametrize(("simulator", "pixels"), [("icarus", 1), ("verilator", 1), ("icarus", 3)])
def test_verify(tmp_path: Path, simulator: str, pixels: int) -> None:
    require_icarus() if simulator == "icarus" else require_verilator()
    model = made(PLAN)
    store.write(make_build(model, form=Streaming(pixels)), tmp_path / "net")
    codes = random_codes(model, 12, seed=3)
    labels = predict_scores(model, codes)[1]
    report = verify(
        tmp_path / "net", data=Split(codes, labels), data_name="random", samples=10, simulator=simulator,
        model_class="convolutions:stack",
    )  # fmt: skip
    assert report.ok and report.latency_cycles == store.read(tmp_path / "net").info.latency_cycles
    assert [(step.images, step.random, step.accuracy) for step in report.steps] == [(12, 100, 1.0), (10, 100, 1.0)]


def run(
    model: BaseModel,
    folder: Path,
    edit: dict[str, tuple[str, str]],
    *,
    pixels: int = 1,
    simulator: str = "icarus",
    **changes: Any,
) -> Any:
    """Simulate a build's RTL with edits, file -> (old text, new text), and compare with PyTorch."""
    made_ = make_build(model, form=Streaming(pixels))
    paths = []
    for name, content in made_.files.items():
        if name.startswith("rtl/"):
            text = content.decode()
            old, new = edit.get(name, ("", ""))
            assert old in text
            paths.append(folder / Path(name).name)
            write_atomically(paths[-1], text.replace(old, new, 1).encode())
    interface = rtl_interface(made_)
    interface = RtlInterface(**{**interface.__dict__, **changes})
    codes = random_codes(model, 12, seed=4)
    scores, classes = predict_scores(model, codes)
    words = words_of(codes.reshape(12, -1).numpy(), interface)
    result = run_rtl(paths, interface, words, simulator=simulator, build_dir=folder / "work")
    return compare(scores.numpy(), classes.numpy(), result.scores, result.classes)


@pytest.mark.parametrize(("plan", "pixels"), [(TWO, 2), (TWO, 5), (POOLED, 4)])
def test_several_pixels_in_verilator(tmp_path: Path, plan: Plan, pixels: int) -> None:
    """A ragged last word, a whole row, and words that a pooling halves; in Icarus there are more (test_stream.py)."""
    require_verilator()
    assert run(made(plan), tmp_path, {}, pixels=pixels, simulator="verilator").ok


def test_unedited_rtl_agrees(tmp_path: Path) -> None:
    require_icarus()
    assert run(made(TWO), tmp_path, {}).ok


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stack_map1", "COLUMN_IN0 = 5'h1e", "COLUMN_IN0 = 5'h1f"),  # the left border is not masked
        ("stack_map1", "ROW_IN2 = 6'h1f", "ROW_IN2 = 6'h3f"),  # nor the lower one
        ("stack_map1", "older <= lines[next_address]", "older <= lines[address]"),
        ("stack_map2", "ROW_OUT = 6'h15", "ROW_OUT = 6'h2a"),  # rows that are no positions
        ("stack", ".in_codes(in_codes)", ".in_codes({in_codes[7:0], in_codes[15:8]})"),
        ("stack", "assign in_ready = pause == 3'd0", "assign in_ready = 1'b1"),
        ("stack", "      count <= 5'd0;\n", ""),  # the reset does not forget a half image
        ("stack_map1", "count <= 6'd0;\n      row", "row"),
    ],
)
def test_wrong_rtl_is_found(tmp_path: Path, file: str, old: str, new: str) -> None:
    require_icarus()
    try:
        agrees = run(made(TWO), tmp_path, {f"rtl/{file}.v": (old, new)}).ok
    except ProtocolError:  # at the wrong time, or unknown
        agrees = False
    assert not agrees


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval_cycles": 30}, "stack: the measured initiation interval is 36 cycles, the declared one 30"),
        ({"latency_cycles": 20}, "stack: the measured latency is 14 cycles, the declared one 20"),
    ],
)
def test_wrong_figures_are_found(tmp_path: Path, changes: dict[str, int], message: str) -> None:
    require_icarus()
    with pytest.raises(ProtocolError) as caught:
        run(made(TWO), tmp_path, {}, **changes)
    assert str(caught.value) == message


@pytest.mark.parametrize("size", ["a tenth", pytest.param("whole", marks=pytest.mark.full)])
def test_zoo_model_on_20_images(tmp_path: Path, size: str) -> None:
    """Random images: none of CIFAR-10 comes with the package. A tenth of the nodes has the same ports and stages."""
    require_verilator()
    if size == "whole":
        model = get_model("cifar10_conv", pretrained=True)
    else:
        model = fitted(CIFAR10Conv(kernels=(8, 12), widths=(400,)), samples=20)
    streamed = make_build(model, form="streaming")
    store.write(streamed, tmp_path / "net")
    codes = random_codes(model, 20, seed=6)
    # Half of the images smooth, as photographs are, so that kernels see more than noise.
    small = torch.rand(10, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(small, (32, 32), mode="bilinear")
    codes[:10] = (smooth * 255).to(codes.dtype)
    scores, classes = predict_scores(model, codes)
    interface = rtl_interface(streamed)
    result = run_rtl(
        sorted((tmp_path / "net" / "rtl").iterdir()), interface, words_of(codes.reshape(20, -1).numpy(), interface),
        build_dir=tmp_path / "work",
    )  # fmt: skip
    np.testing.assert_array_equal(result.scores, scores.numpy())
    np.testing.assert_array_equal(result.classes, classes.numpy())
    assert result.latency_cycles == streamed.info.latency_cycles
    assert len(np.unique(scores.numpy(), axis=0)) == 20


def test_an_image_is_replayed(tmp_path: Path) -> None:
    require_icarus()
    model, folder, file = made(PLAN), tmp_path / "net", tmp_path / "image.npz"
    build = make_build(model, form="streaming")
    store.write(build, folder)
    np.savez(file, codes=random_codes(model, 1, seed=7).reshape(1, -1).numpy())
    assert replay(folder, file, simulator="icarus").difference == ""
    np.savez(file, codes=np.zeros((1, build.circuit.input.features + 1), np.int64))
    with pytest.raises(CodesError):
        replay(folder, file)


def test_shell_brings_in_whole_pixels() -> None:
    shell = make_shell(make_build(made(TWO), form="streaming"))
    assert (shell.features, shell.in_bits) == ((0, 1), 16)
    assert "stack core (" in shell.text and "in_codes[15:0] = codes[15:0]" in shell.text


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ConfigError) as caught:
        make_build(made(PLAN), target="vhdl", form="streaming")
    assert str(caught.value) == (
        "unknown target 'vhdl'; known: verilog, and as one file blif, aiger, tables, c (export_netlist in Python)"
    )


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(PLAN).save_checkpoint(tmp_path / "stack.safetensors")
    arguments = [str(tmp_path / "stack.safetensors"), "--model", "convolutions:stack", "--conv", "streaming"]
    status, out, _ = command(capsys, "export", *arguments, "--out", str(tmp_path / "net"))
    assert status == 0
    latency = store.read(tmp_path / "net").info.latency_cycles
    assert f"latency {latency} cycles from the last pixel, an image of 16 pixels every" in out
    require_prover()
    status, out, _ = command(capsys, "export", *arguments, "--out", str(tmp_path / "net"), "--prove")
    assert status == 0 and "\nproved: the RTL equals the traced model for all inputs (" in out
    assert (
        "  proved     schedule: all bits are kept before the dense part takes them" in out and "not covered" not in out
    )
    fitted(Chain()).save_checkpoint(tmp_path / "chain.safetensors")
    status, _, error = command(
        capsys, "export", str(tmp_path / "chain.safetensors"), "--model", "small_models:Chain", "--conv", "streaming"
    )
    assert status == 2 and "an image has the shape (colours, rows, columns) or (rows, columns)" in error
