"""The parts of a streaming build's proof: right ones are proved, every wrong one is not, with an input where there is
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from axi_builds import rtl
from convolutions import FILTERED, MAJORITY, Plan, Step, made
from tools import require_prover

from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build, pack_netlist
from difflut.export.circuit.circuit import Circuit as WindowedCircuit
from difflut.export.circuit.circuit import EncodedImage
from difflut.export.circuit.text import to_text
from difflut.export.proof.build import prove
from difflut.export.proof.circuit import Circuit
from difflut.export.proof.convolution import (
    Part,
    kernel_part,
    pixel_part,
    prove_convolution,
    prove_part,
)
from difflut.export.proof.read_back import read_back, read_modules
from difflut.export.proof.report import OPEN, PROVED, REFUTED
from difflut.export.proof.stream_top import StreamTiming, prove_kept, prove_wiring
from difflut.export.schedule.forms import Streaming
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.stream.plan import plan_schedule
from difflut.export.schedule.stream.words import plan_words
from difflut.export.verilog.stream import emit_stream
from difflut.input_format import InputFormat

TWO = Plan((2, 6, 5), (Step(4, (3, 3), padding=(1, 1), depth=2), Step(0, (2, 2), (2, 1))), read=(0, 2), bits=2)
SIGNED = Plan(
    (2, 4, 4),
    (Step(3, (2, 2)),),
    read=(0, 1),
    bits=2,
    widths=(10, 8),
    options={"input_format": InputFormat(12, True, 8.0)},
)

# Plans and how many pixels a cycle their circuits take; of the last one's map 1 the rows end within a word.
BUILDS = ((TWO, 1), (SIGNED, 1), (SIGNED, 2), (FILTERED, 2), (MAJORITY, 1))


@cache
def built(number: int) -> tuple[Build, WindowedCircuit]:
    plan, pixels = BUILDS[number]
    build = make_build(made(plan), form=Streaming(pixels), pipeline="levels")
    return build, build.circuit


def sources(build: Build) -> dict[str, str]:
    """Module -> text."""
    return {name.removesuffix(".v"): text for name, text in rtl(build).items()}


def read_top(texts: dict[str, str]) -> Circuit:
    kept = [f"stack_{part}{number}" for part in ("map", "kernel") for number in (1, 2) if f"stack_map{number}" in texts]
    return read_modules(texts, "stack", kept, ["stack_dense"])["stack"]


def timing_of(build: Build) -> StreamTiming:
    stated = build.info.pixels
    assert stated is not None
    return StreamTiming(
        stated.pause_cycles,
        stated.body_latency_cycles,
        build.info.latency_cycles,
        build.info.initiation_interval,
    )


@pytest.mark.parametrize("number", range(len(BUILDS)))
def test_every_part_is_proved(number: int, tmp_path: Path) -> None:
    require_prover()
    build, netlist = built(number)
    store.write(build, tmp_path / "net")
    report = prove(tmp_path / "net")
    assert report.ok and report.counterexample is None
    subjects = [claim.subject for claim in report.claims]
    kernels = [f"kernel {number}" for number in range(1, len(netlist.layers) + 1)]
    kept = [f"kept bits of map {place}" for place in netlist.collected]
    pixel = "pixel" if BUILDS[number][1] == 1 else "2 pixels"
    windows = [f"windows of map {number}" for number in range(1, len(netlist.layers) + 1)]
    whole = {"geometry", pixel, "wiring", "control", "schedule", "dense part, argmax"}
    assert len(kept) == 2 and whole | {*kernels, *windows, *kept} <= set(subjects)
    assert report.conclusion.startswith("proved: the RTL equals the traced model for all")


def flipped(text: str, lut: int, bit: int) -> str:
    """A kernel's text with one bit of a table changed."""
    found = re.search(rf"T{lut} = (\d+)'h([0-9a-f]+);", text)
    assert found is not None
    changed = int(found[2], 16) ^ (1 << bit)
    return text.replace(found[0], f"T{lut} = {found[1]}'h{changed:x};")


@pytest.mark.parametrize("lut", [0, 5])
def test_a_flipped_table_bit_of_a_kernel_has_a_counterexample(lut: int) -> None:
    require_prover()
    build, netlist = built(0)
    kernel, name = netlist.layers[0].kernel, "stack_kernel1"
    wrong = flipped(sources(build)[name], lut, 3)
    claim, found = prove_part(kernel_part(read_back({name: wrong}, name), kernel, 1))
    assert claim.verdict == REFUTED and found is not None and found.part == "kernel 1"
    assert len(found.codes) == kernel.comparators and found.scores is not None
    assert sum(mine != right for mine, right in zip(found.scores, found.expected_scores, strict=True)) == 1
    assert found.lines()[0].startswith("score ")


def verdict(part: Part) -> str:
    return prove_part(part)[0].verdict


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            r"assign (out_bits = .*;)",
            r"wire [3:0] right_\1\n  assign out_bits = {right_out_bits[2], right_out_bits[3], right_out_bits[1:0]};",
            REFUTED,
        ),
        (
            r"always @\(posedge clk\) begin(.*?)<=(.*?)end",
            r"always @* begin\1=\2end",
            OPEN,
        ),  # a level without a register
        (r"in_bits;\n", r"in_bits ^ 1'b1;\n", REFUTED),
    ],
    ids=["swapped outputs", "one cycle early", "inverted input"],
)
def test_a_wrong_kernel_is_not_proved(old: str, new: str, expected: str) -> None:
    require_prover()
    build, netlist = built(0)
    name = "stack_kernel1"
    right = sources(build)[name]
    wrong = re.sub(old, new, right, count=1, flags=re.DOTALL)
    assert wrong != right
    part = kernel_part(read_back({name: wrong}, name), netlist.layers[0].kernel, 1)
    assert verdict(part) == expected


def with_threshold(image: EncodedImage) -> EncodedImage:
    """One comparison with another constant."""
    thresholds = image.compare_threshold.copy()
    thresholds[0] -= 1
    return replace(image, compare_threshold=thresholds)


def with_colour(image: EncodedImage) -> EncodedImage:
    """One comparison of another colour."""
    channels = image.compare_channel.copy()
    channels[0] = 1 - channels[0]
    return replace(image, compare_channel=channels)


def with_bit(image: EncodedImage) -> EncodedImage:
    """Two bits of a code exchanged."""
    channels = image.compare_channel.copy()
    channels[:2] = channels[1::-1]
    return replace(image, compare_channel=channels)


@pytest.mark.parametrize(("number", "change"), [*product(range(3), [with_threshold, with_colour]), (3, with_bit)])
def test_a_wrong_comparison_has_a_counterexample(number: int, change: Callable[[EncodedImage], EncodedImage]) -> None:
    """The encoder of another circuit."""
    require_prover()
    build, netlist = built(number)
    texts, pixels = sources(build), BUILDS[number][1]
    assert netlist.image is not None
    other = replace(netlist, image=change(netlist.image))
    wrong = emit_stream(other, plan_schedule(other, pixels), top="stack").files["stack_encoder.v"]
    assert wrong != texts["stack_encoder"]
    assert prove_part(pixel_part(read_top(texts), netlist, pixels))[0].verdict == PROVED
    texts["stack_encoder"] = wrong
    claim, example = prove_part(pixel_part(read_top(texts), netlist, pixels))
    assert claim.verdict == REFUTED and example is not None and len(example.codes) == 2 * pixels


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stack", r"\.in_codes\(in_codes\)", ".in_codes({in_codes[23:0], in_codes[47:24]})"),
        ("stack", r"bits0 = encoder_bits;", "bits0 = {encoder_bits[3:0], encoder_bits[7:4]};"),
        ("stack", r"bits0 = encoder_bits;", "bits0 = {2{encoder_bits[3:0]}};"),
        ("stack_encoder", r"out_bits(\S*) <= \{\n *(\S+),\n *(\S+),", r"out_bits\1 <= {\3, \2,"),
    ],
    ids=["pixels swapped", "their bits swapped", "one pixel twice", "two bits swapped"],
)
def test_a_wrong_encoder_of_words_is_refuted(file: str, old: str, new: str) -> None:
    require_prover()
    build, netlist = built(2)
    texts = sources(build)
    texts[file], count = re.subn(old, new, texts[file], count=1)
    assert count == 1
    claim, example = prove_part(pixel_part(read_top(texts), netlist, 2))
    assert claim.verdict == REFUTED and example is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"(collected2\[0\] <= |collected2\[\d+:0\] <= \{?.*?)bits2\[(\d)\]", r"\1~bits2[\2]"),
        (r"word2 == \d+'h?d?(\w+)\) collected2", r"word2 == 1) collected2"),
        (r"if \(valid2 & word2", r"if (word2"),
        (r"else if \(valid2\) word2", r"else word2"),
        (r"if \(rst\) word2 <= ", r"if (1'b0) word2 <= "),
    ],
    ids=["inverted", "another pixel", "not valid", "counts cycles", "not reset"],
)
def test_a_wrong_kept_bit_is_not_proved(old: str, new: str) -> None:
    require_prover()
    build, netlist = built(0)
    texts = sources(build)
    wrong, count = re.subn(old, new, texts["stack"], count=1)
    assert count == 1 and wrong != texts["stack"]
    texts["stack"] = wrong
    circuit, words = read_top(texts), plan_words(netlist)
    assert prove_kept(circuit, netlist, 2, words[2]).verdict == OPEN
    assert prove_kept(circuit, netlist, 0, words[0]).verdict == PROVED, "the other map is as it was"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"(collected1.* <= \{)(bits1\[\d\]), (bits1\[\d\])", r"\1\3, \2"),
        (r"word1 == 3'h5\) collected1", r"word1 == 3'h4) collected1"),
    ],
    ids=["another lane", "another word"],
)
def test_a_wrong_bit_of_a_word_is_not_proved(old: str, new: str) -> None:
    require_prover()
    build, netlist = built(2)
    texts, words = sources(build), plan_words(netlist, 2)
    assert prove_kept(read_top(texts), netlist, 1, words[1]).verdict == PROVED
    texts["stack"], count = re.subn(old, new, texts["stack"], count=1)
    assert count == 1
    assert prove_kept(read_top(texts), netlist, 1, words[1]).verdict == OPEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".in_bits(bits1)", ".in_bits(bits0)"),
        (".in_valid(valid1)", ".in_valid(valid0)"),
        (".in_valid(finished[12])", ".in_valid(finished[11])"),
        (".out_bits(bits1)", ".out_bits({bits1[0], bits1[3:1]})"),
        (".rst(rst),\n      .in_valid(valid1)", ".rst(1'b0),\n      .in_valid(valid1)"),
    ],
    ids=["source", "valid", "early", "rotated", "no reset"],
)
def test_wrong_wires_are_not_proved(old: str, new: str) -> None:
    require_prover()
    build, netlist = built(0)
    texts = sources(build)
    assert prove_wiring(read_top(texts), netlist, timing_of(build)).verdict == PROVED
    assert texts["stack"].count(old) == 1
    texts["stack"] = texts["stack"].replace(old, new)
    assert prove_wiring(read_top(texts), netlist, timing_of(build)).verdict == OPEN


def test_a_wrong_dense_part_has_a_counterexample() -> None:
    require_prover()
    build, netlist = built(1)
    texts = sources(build)
    name = next(name for name in texts if name.startswith("stack_dense_stage"))
    texts[name] = flipped(texts[name], 0, 0)
    outcome = prove_convolution(texts, "stack", netlist, Outputs(), timing_of(build), lambda what, done, total: None)
    wrong = [claim.subject for claim in outcome.claims if claim.verdict != PROVED]
    assert wrong and all(subject.startswith("dense part, ") for subject in wrong)
    assert outcome.counterexample is not None and outcome.counterexample.part == "dense part"
    assert len(outcome.counterexample.codes) == len(netlist.body_bits)


def other_bits(netlist: WindowedCircuit) -> npt.NDArray[np.int64]:
    """As many bits of maps as the body reads, one of them another."""
    unread = np.setdiff1d(np.arange(netlist.map_offsets[-1]), netlist.body_bits)
    return np.sort(np.append(netlist.body_bits[1:], unread[:1]))


def test_a_netlist_of_another_geometry_is_not_proved(tmp_path: Path) -> None:
    """As if a pass had changed what none may change."""
    require_prover()
    build, netlist = built(1)
    assert netlist.image is not None
    for number, other in enumerate(
        (
            replace(netlist, image=with_threshold(netlist.image)),
            replace(netlist, body_bits=other_bits(netlist)),
        )
    ):
        files = {**build.files, store.TRACED_FILE: pack_netlist(to_text(other))}
        store.write(Build.of(build.info, files), tmp_path / str(number))
        report = prove(tmp_path / str(number))
        assert [claim.subject for claim in report.claims if claim.verdict != PROVED] == ["geometry"]
