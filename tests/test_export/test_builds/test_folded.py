"""Folded builds: what is in them, their verification through cocotb, the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from command_line import run as command
from convolutions import LONG, made
from small_models import Chain, fitted, random_codes
from tools import require_icarus, require_verilator

from difflut.check.verification import VerificationReport, verify
from difflut.data import Split
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.info import BankInfo, Pixels
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.schedule.forms import Folded, Form, Streaming
from difflut.training import predict_scores


def verified(build: Build, folder: Path, simulator: str = "icarus") -> VerificationReport:
    """Verify a build on 8 labelled images and random ones."""
    store.write(build, folder / "net")
    model = made(LONG)
    codes = random_codes(model, 8, seed=3)
    return verify(
        folder / "net", data=Split(codes, predict_scores(model, codes)[1]), data_name="random", samples=8,
        simulator=simulator, model_class="convolutions:Long",
    )  # fmt: skip


def test_build_json() -> None:
    build = make_build(made(LONG), form=Folded(nodes_per_cycle=2))
    assert build.digest == make_build(made(LONG), form=Folded(25)).digest
    described, folded = build.info.schedule, build.info.folded
    assert isinstance(described, Pixels) and folded is not None
    assert (described.form, described.collected_bits) == ("folded", 0)
    assert (folded.nodes_per_cycle, folded.program_cycles, folded.hold_cycles) == (2, 25, 25)
    assert build.info.initiation_interval == 25
    assert (folded.copies, folded.table_bits) == (12, 25 * 2 * 64)
    assert folded.banks[0] == BankInfo(words=32, width_bits=3, map=1)
    assert folded.copy_bits == sum(bank.words * bank.width_bits for bank in folded.banks)
    # The memories in the RTL have the bits that build.json states.
    program = build.text("rtl/stack_dense_program.v")
    bits = {name: 0 for name in ("connections", "tables")}
    for name, width in re.findall(r"(connections|tables)\[\d+\] = (\d+)'h", program):
        bits[name] += int(width)
    assert bits == {"connections": folded.connection_bits, "tables": folded.table_bits}
    assert sum(text.count(b"stack_dense_bits input") for text in build.files.values()) * 2 == folded.copies
    assert "before the last one until the dense part is free" in build.text("README.md")


@pytest.mark.parametrize(("outputs", "simulator"), [("both", "verilator"), ("top-2", "icarus")])
def test_verify(tmp_path: Path, outputs: str, simulator: str) -> None:
    require_icarus() if simulator == "icarus" else require_verilator()
    build = make_build(made(LONG), outputs=outputs, form=Folded(nodes_per_cycle=2))
    report = verified(build, tmp_path, simulator)
    assert report.ok and report.latency_cycles == build.info.latency_cycles


def altered(build: Build, name: str, old: str, new: str) -> Build:
    text = build.text(name)
    assert text.count(old) == 1, (old, text.count(old))
    return Build.of(build.info, {**build.files, name: text.replace(old, new).encode()})


def test_a_wrong_table_is_found(tmp_path: Path) -> None:
    require_icarus()
    build = make_build(made(LONG), form=Folded(nodes_per_cycle=2))
    name = "rtl/stack_dense_program.v"
    row = re.search(r"tables\[20\] = 128'h([0-9a-f]{32});", build.text(name))
    assert row is not None
    # Every second bit of one LUT: only some address of it is sure to come up.
    other = f"{int(row[1], 16) ^ int('5' * 16, 16):032x}"
    assert not verified(altered(build, name, row[0], row[0].replace(row[1], other)), tmp_path).ok


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("rtl/stack.v", "hold <= 5'h18", "hold <= 5'h19", "interval is 26 cycles, the declared one 25"),
        ("rtl/stack_dense.v", "in_start) begin\n      running <= 1'b1;\n      row <= 5'd0",
         "in_start) begin\n      running <= 1'b1;\n      row <= 5'd1", "latency is"),
    ],
)  # fmt: skip
def test_wrong_timing_is_found(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    require_icarus()
    build = altered(make_build(made(LONG), form=Folded(nodes_per_cycle=2)), name, old, new)
    report = verified(build, tmp_path)
    assert not report.ok and re.search(message, report.steps[-1].first_mismatch)


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        (
            Folded(3),
            {},
            (
                "the pixels of an image cannot be taken in 3 cycles; possible pixels a cycle for this model (cycles an "
                "image): 1 (16), 2 (8), 4 (4)"
            ),
        ),
        (
            "folded=30",
            {"pipeline": "levels"},
            "a folded circuit has registers of its own: leave out --pipeline, --fmax and --latency",
        ),
    ],
)
def test_options_that_do_not_fit(form: Form | str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_build(made(LONG), form=form, **options)
    assert str(caught.value) == message


def test_no_nodes_a_cycle() -> None:
    with pytest.raises(ConfigError) as caught:
        Folded(nodes_per_cycle=0)
    assert str(caught.value) == "folded: 0 nodes a cycle; expected at least 1"


def test_fewer_cycles_than_pixels_need_several_pixels_a_cycle() -> None:
    folded, lanes = (make_build(made(LONG), form=form) for form in (Folded(9), Streaming(2)))
    assert folded.digest == lanes.digest and folded.info.schedule.form == "streaming"
    assert 8 <= folded.info.initiation_interval < 16


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(LONG).save_checkpoint(tmp_path / "stack.safetensors")
    arguments = ["export", str(tmp_path / "stack.safetensors"), "--model", "convolutions:Long"]
    status, out, _ = command(capsys, *arguments, "--conv", "folded=25", "--out", str(tmp_path / "net"))
    assert status == 0
    assert "dense part: 2 LUTs a cycle for 25 cycles, with 3200 bits of tables" in out
    assert "an image of 16 pixels every 25 cycles" in out
    assert store.read(tmp_path / "net").info.schedule.form == "folded"
    for wrong in ("folded=0", "folded=x", "folded", "folded=-3", "fold=4"):
        status, _, error = command(capsys, *arguments, "--conv", wrong)
        assert status == 2
        assert (
            f"--conv {wrong}: expected unrolled, streaming, or folded=N, where N is how many clock cycles an image "
            "may take" in error
        )
    fitted(Chain()).save_checkpoint(tmp_path / "chain.safetensors")
    status, _, error = command(
        capsys, "export", str(tmp_path / "chain.safetensors"), "--model", "small_models:Chain", "--conv", "folded=100"
    )
    assert status == 2 and "an image has the shape (colours, rows, columns) or (rows, columns)" in error
