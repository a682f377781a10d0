"""Streaming builds with AXI4-Streams: framing, that tools accept them, simulation under stalls, proof, wrong
wrappers.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from axi_builds import rtl
from convolutions import made
from icarus import call
from pixel_builds import FAULTS, MODEL, SHAPES, broken, pixel_build
from small_models import random_codes
from tools import require_icarus, require_prover, require_tool, require_verilator
from yosys import run_yosys

from difflut.check.builds import axi_interface
from difflut.check.verification import verify
from difflut.data import Split
from difflut.errors import ConfigError
from difflut.export.builds import pack_samples, store, unpack_results
from difflut.export.builds.frames import frame_order, framing_of, streams_of
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import Outputs, simulate
from difflut.export.interfaces.axi_stream import emit_wrapper
from difflut.export.interfaces.framing import Layout, PixelFraming, Stream
from difflut.export.interfaces.registers import register_map
from difflut.export.proof.axi import prove_wrapper, wrapper_of
from difflut.export.proof.build import prove
from difflut.export.proof.harness import Wrapper
from difflut.export.proof.pixel_timing import prove_pixel_timing
from difflut.export.proof.report import Claim
from difflut.export.proof.stream_top import StreamTiming
from difflut.export.schedule.forms import Streaming
from difflut.report.facts import read_facts
from difflut.report.page import draw, render
from difflut.sim import Comparison, ProtocolError, RtlResult, ToolFailure, compare, run_axi
from difflut.sim import axi as axi_module
from difflut.sim.toolchain import find_verilator
from difflut.training import predict_scores

SAMPLES = 14


@cache
def samples(shape: str) -> npt.NDArray[np.int64]:
    """Images in the order of the model."""
    model = made(SHAPES[shape][0])
    return random_codes(model, SAMPLES, seed=5).reshape(SAMPLES, -1).numpy().astype(np.int64)


@cache
def expected(shape: str) -> Outputs:
    return simulate(pixel_build(shape).circuit, samples(shape))


def run(build: Build, shape: str, folder: Path, **options: object) -> tuple[RtlResult, Comparison]:
    require_icarus()
    store.write(build, folder / "net")
    sources = sorted((folder / "net" / "rtl").glob("*.v"))
    codes = frame_order(build.info, samples(shape))
    arguments = {"simulator": "icarus", "build_dir": folder / "work", **options}
    result = run_axi(sources, axi_interface(build), codes, **arguments)  # type: ignore[arg-type]
    right = expected(shape)
    return result, compare(right.scores, right.classes, result.scores, result.classes)


@pytest.mark.parametrize("shape", SHAPES)
def test_right_wrappers_agree(shape: str, tmp_path: Path) -> None:
    build = pixel_build(shape)
    result, comparison = run(build, shape, tmp_path)
    assert comparison == Comparison(SAMPLES, 0, 0, None)
    assert len(np.unique(expected(shape).scores, axis=0)) > 1
    assert result.latency_cycles == streams_of(build.info).latency_cycles


@pytest.mark.parametrize("shape", ["narrow", "colours", "wide", "words", "folded"])
def test_frames_follow_in_the_declared_time(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without stalls; measured, as `build.json` has a computed figure."""
    found: list[npt.NDArray[np.int64]] = []
    judge = axi_module.axi_protocol.judge

    def watched(recording, stimulus, *arguments):  # type: ignore[no-untyped-def]
        given = recording.out_ready & (recording.out_last == b"1") & (recording.out_cycles > recording.reset_cycle)
        found.append(recording.out_cycles[given])
        return judge(recording, stimulus, *arguments)

    monkeypatch.setattr(axi_module.axi_protocol, "judge", watched)
    run(pixel_build(shape), shape, tmp_path, bubbles=False)
    steady = np.diff(found[0])[3:]
    assert set(steady.tolist()) == {streams_of(pixel_build(shape).info).cycles_per_frame}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_wrappers_are_caught(fault: str, tmp_path: Path) -> None:
    shape = FAULTS[fault][0]
    try:
        agrees = run(broken(fault), shape, tmp_path)[1].ok
    except (ProtocolError, ToolFailure):
        agrees = False
    assert not agrees


@pytest.mark.parametrize("shape", SHAPES)
def test_a_right_wrapper_is_proved(shape: str) -> None:
    """All but the registers: see test_proof/test_axi.py."""
    require_prover()
    build = pixel_build(shape)
    parts = ["streams", "frames", "results"]
    claims = prove_wrapper(rtl(build), wrapper_of(build.info), parts)
    assert [(claim.subject, claim.verdict) for claim in claims] == [(part, "proved") for part in ["wrapper", *parts]]


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_wrong_wrapper_is_not_proved(fault: str) -> None:
    require_prover()
    build = broken(fault)
    assert any(claim.verdict != "proved" for claim in prove_wrapper(rtl(build), wrapper_of(build.info)))


def test_prove_speaks_of_parts_and_streams(tmp_path: Path) -> None:
    require_prover()
    store.write(pixel_build("one beat"), tmp_path / "net")
    report = prove(tmp_path / "net")
    subjects = [claim.subject for claim in report.claims]
    assert report.ok and {"pixel", "kernel 1", "dense part, argmax"} <= set(subjects)
    assert subjects[-6:] == ["wrapper", "streams", "frames", "results", "registers", "timing"]
    assert report.text.splitlines()[-1].startswith("proved: the RTL equals the traced model for all inputs (")


@pytest.mark.parametrize("shape", ["colours", "folded"])
def test_the_figures_of_the_streams_are_proved(shape: str) -> None:
    """Those of other cores, and of a wrapper with less room, are not."""
    framing = framing_of(pixel_build(shape).info)
    assert isinstance(framing, PixelFraming)
    pause, latency, interval = framing.pause_cycles, framing.core_latency_cycles, framing.interval_cycles
    core = StreamTiming(pause, 1, latency, interval, interval)
    assert prove_pixel_timing(framing, core, []).verdict == "proved"
    for other in (
        dataclasses.replace(core, latency=latency + 1),
        dataclasses.replace(core, pause=interval + 40),
        dataclasses.replace(core, hold=interval + 40),
    ):
        assert prove_pixel_timing(framing, other, []).verdict == "not proved"
    open_ = Claim("control", "something", "not proved")
    assert prove_pixel_timing(framing, core, [open_]).verdict == "not proved"


@pytest.mark.parametrize("shape", SHAPES)
def test_tools_accept_the_wrapper(shape: str, tmp_path: Path) -> None:
    require_verilator()
    files = rtl(pixel_build(shape))
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    names = sorted(files)
    # In the simulator's own language, SystemVerilog, which has more reserved words.
    call(find_verilator().executable, "--lint-only", "-Wall", "--top-module", "stack", *names, folder=tmp_path)
    printed = call(require_tool("iverilog"), "-g2001", "-Wall", "-s", "stack", "-o", "x", *names, folder=tmp_path)
    assert not [line for line in printed.splitlines() if "timescale" not in line]
    run_yosys(
        [*(f"read_verilog {name}" for name in names), "hierarchy -check -top stack", "proc", "check -assert"], tmp_path
    )


def test_framing() -> None:
    framing = framing_of(pixel_build("colours").info)
    assert isinstance(framing, PixelFraming)
    assert (framing.codes.count, framing.codes.beats, framing.words, framing.word_values) == (45, 12, 15, 3)
    assert (framing.unit_bytes, framing.beat_units, framing.word_units, framing.last_beat_units) == (1, 4, 3, 1)
    small = framing_of(pixel_build("one beat").info)
    assert isinstance(small, PixelFraming) and small.images == 2


def test_words_of_several_pixels() -> None:
    """The wrapper knows of no colours: words of two pixels of three bytes from beats of four are cut right too."""
    require_prover()
    framing = PixelFraming(Layout(24, 8, 32), Layout(2, 3, 32), 9, word_values=6, pause_cycles=2, interval_cycles=6)
    assert (framing.words, framing.unit_bytes, framing.word_units, framing.beat_units) == (4, 2, 3, 2)
    registers = register_map(framing, "0" * 16, output="scores", signed=False, classes=2)
    files = emit_wrapper("w", "w_core", "w", framing, "scores", registers)
    wrapper = Wrapper("w", "w_core", framing, "scores", registers)
    assert [claim.verdict for claim in prove_wrapper(files, wrapper)] == ["proved"] * 5
    assert wrapper.core_ports()["in_codes"] == ("input", 48)


def test_rows_are_made_of_whole_words() -> None:
    with pytest.raises(ConfigError) as caught:
        make_build(made(SHAPES["colours"][0]), interface="axi-stream", stream=Stream(), form=Streaming(2))
    assert str(caught.value) == (
        "interface axi-stream: rows of 5 pixels are not made of whole words of 2; use the plain interface, or a "
        "number of pixels a cycle that divides a row"
    )


def test_a_frame_is_the_image_as_cameras_have_it(tmp_path: Path) -> None:
    """Row by row, the colours of a pixel side by side: the bytes of an array (rows, columns, colours)."""
    build = pixel_build("colours")
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 3, 5))
    store.write(build, tmp_path / "net")
    beats = pack_samples(tmp_path / "net", images)
    assert beats.shape == (4, 12, 4)
    for image, frame in zip(images, beats, strict=True):
        assert frame.tobytes() == image.transpose(1, 2, 0).astype(np.uint8).tobytes() + bytes(3)
    results = framing_of(build.info).results
    assert unpack_results(tmp_path / "net", results.pack(np.array([[1], [0]]))).tolist() == [[1], [0]]


def test_the_core_is_that_of_the_plain_interface() -> None:
    plan, stream = SHAPES["colours"]
    wrapped = rtl(pixel_build("colours"))
    for name, text in rtl(make_build(made(plan), outputs=stream.output, form="streaming", pipeline="levels")).items():
        core = wrapped[name.replace("stack", "stack_core", 1)]
        assert core.replace("stack_core", "stack") == text
    assert pixel_build("colours").info.core == "stack_core"


def test_verify_and_report(tmp_path: Path) -> None:
    """From PyTorch to the streams and back."""
    require_icarus()
    model = made(SHAPES["wide"][0])
    build = pixel_build("wide")
    store.write(build, tmp_path / "net")
    codes = random_codes(model, 6, seed=3)
    labels = predict_scores(model, codes)[1]
    report = verify(
        tmp_path / "net",
        data=Split(codes, labels),
        data_name="random",
        samples=5,
        simulator="icarus",
        model_class=MODEL,
    )
    assert report.ok and report.steps[1].accuracy == 1.0
    assert report.latency_cycles == streams_of(build.info).latency_cycles
    facts = read_facts(tmp_path / "net")
    assert f"every {streams_of(build.info).cycles_per_frame} cycles" in render(facts, draw(facts))


def test_options_that_do_not_fit() -> None:
    model = made(SHAPES["narrow"][0])
    with pytest.raises(ConfigError) as caught:
        make_build(model, stream=Stream(), form="streaming")
    assert str(caught.value) == "a stream needs the interface 'axi-stream'; got 'plain'"
    with pytest.raises(ConfigError) as caught:
        make_build(model, interface="axi", form="streaming")
    assert str(caught.value) == "unknown interface 'axi'; known: plain, axi-stream"
