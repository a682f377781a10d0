"""Folded RTL against PyTorch in Icarus: scores, latency and interval, with gaps and resets; that wrong RTL is found."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from convolutions import FILTERED, LONG, MAJORITY, Plan, Step, made, plans
from edited_designs import edited
from hypothesis import given, settings
from hypothesis import strategies as st
from icarus import binary
from pixel_runs import Answer, Image, gaps, send
from small_models import random_codes

from difflut.export.circuit.circuit import Circuit
from difflut.export.frontend.trace import trace_circuit
from difflut.export.passes import pipelines
from difflut.export.schedule.folded.plan import FoldedDense, fold_dense, nodes_per_cycle
from difflut.export.schedule.stream.plan import plan_schedule, stage_kernels
from difflut.export.verilog.design import Design
from difflut.export.verilog.stream import emit_folded
from difflut.training import predict_scores

# One map and one level; two maps, levels that wait for each other, words of several bits. LONG has more rows than
# pixels.
ONE = Plan((1, 4, 5), (Step(2, (3, 3), padding=(1, 1)),))
TWO = Plan(
    (2, 6, 6),
    (Step(4, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2)), Step(6, (3, 3), padding=(1, 1))),
    read=(1, 3),
    bits=2,
    widths=(20, 10, 16),
)


@dataclass(frozen=True)
class Folded:
    """A folded design and what it was made from."""

    plan: Plan
    netlist: Circuit
    dense: FoldedDense
    design: Design


def folded(plan: Plan, nodes: int) -> Folded:
    netlist = stage_kernels(pipelines.run(trace_circuit(made(plan)))[0])
    dense = fold_dense(netlist, plan_schedule(netlist), nodes)
    return Folded(plan, netlist, dense, emit_folded(netlist, dense))


def run(made_: Folded, design: Design, folder: Path) -> tuple[list[Answer], list[int]]:
    """The answers to images back to back, with gaps, and around a reset in mid image; which of them are wrong."""
    model, netlist = made(made_.plan), made_.netlist
    random = np.random.default_rng(made_.plan.seed)
    codes = random_codes(model, 9, made_.plan.seed)
    scores, classes = predict_scores(model, codes)
    rows = codes.reshape(9, -1).numpy().astype(np.int64)
    pixels = netlist.size.pixels
    none = np.zeros(pixels, np.int64)
    pause = none.copy()
    pause[0] = design.latency_cycles + 3
    images = [
        *(Image(row, none) for row in rows[:4]),  # both halves of the memories, twice
        *(Image(row, gaps(random, pixels, 3)) for row in rows[4:6]),
        Image(rows[6], pause[: int(random.integers(1, pixels + 1))], cut=True),
        Image(rows[7], none),
        Image(rows[8], gaps(random, pixels, 30)),
    ]
    answers = send(design, netlist, images, folder)
    head = netlist.body.head
    wrong = []
    for number, (answer, sample) in enumerate(zip(answers, (0, 1, 2, 3, 4, 5, 7, 8), strict=True)):
        expected = {
            "out_scores": binary(scores[sample].tolist(), head.score_width_bits),
            "out_class": binary([int(classes[sample])], head.class_width_bits),
        }
        if answer.ports != expected:
            wrong.append(number)
    return answers, wrong


def check(made_: Folded, folder: Path) -> None:
    """Every output, the latency, and the interval of images back to back."""
    answers, wrong = run(made_, made_.design, folder)
    assert not wrong
    assert {answer.edge - answer.last_word for answer in answers} == {made_.design.latency_cycles}
    ends = [answer.last_word for answer in answers[:4]]
    assert np.diff(ends).tolist() == [made_.dense.schedule.initiation_interval] * 3


@pytest.mark.parametrize(
    ("plan", "nodes"), [(ONE, 1), (ONE, 5), (TWO, 1), (TWO, 3), (LONG, 2), (FILTERED, 2), (MAJORITY, 2)]
)
def test_folded_streams(plan: Plan, nodes: int, tmp_path: Path) -> None:
    check(folded(plan, nodes), tmp_path)


@settings(max_examples=8, deadline=None)
@given(plan=plans(streaming=True), nodes=st.integers(1, 4))
def test_random_folded_streams(plan: Plan, nodes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(folded(plan, nodes), Path(folder))


def test_plan() -> None:
    """What the figures of the plan mean, on a network that has all of it."""
    dense = folded(TWO, 3).dense
    program, layout = dense.program, dense.layout
    assert (program.lanes, program.inputs, dense.copies) == (3, 6, 18)
    # A position of either map can come every cycle, so all of its bits are one word; results are words of a bit a lane.
    assert [(bank.width_bits, bank.words, bank.halves) for bank in layout.banks] == [
        (4, 36, 2), (6, 9, 2), (3, program.result_rows, 1),
    ]  # fmt: skip
    assert layout.copy_bits == 2 * 4 * 36 + 2 * 6 * 9 + 3 * program.result_rows
    assert dense.table_bits == program.rows * 3 * 64
    assert dense.connection_bits == program.rows * (3 * 6 * layout.address_bits + 1)
    used = layout.addresses[layout.addresses > 0]
    assert len(np.unique(used)) == len(used) and int(used.max()) < 1 << layout.address_bits


def test_nodes_per_cycle() -> None:
    """As few as the cycles allow; the stream itself and the levels set a limit that more nodes do not lift."""
    netlist = folded(LONG, 1).netlist
    schedule = plan_schedule(netlist)

    def interval(nodes: int) -> int:
        return fold_dense(netlist, schedule, nodes).schedule.initiation_interval

    stream = schedule.initiation_interval
    assert nodes_per_cycle(netlist, schedule, interval(1)) == 1 < nodes_per_cycle(netlist, schedule, interval(1) - 1)
    for cycles in (1, stream, stream + 4, 40):
        nodes = nodes_per_cycle(netlist, schedule, cycles)
        assert interval(nodes) <= max(cycles, interval(15)) and (
            nodes == 1 or interval(nodes - 1) > max(cycles, stream)
        )


def flipped(text: str, memory: str, row: int, bit: int) -> str:
    """A program with another bit in a word of a memory."""
    found = re.search(rf"{memory}\[{row}\] = (\d+)'h([0-9a-f]+);", text)
    assert found is not None
    return text.replace(found[0], f"{memory}[{row}] = {found[1]}'h{int(found[2], 16) ^ 1 << bit:x};")


def replaced(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(old) == 1, (old, text.count(old))
        return text.replace(old, new)

    return edit


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("dense_program", lambda text: flipped(text, "tables", 19, 32)),
        ("dense_program", lambda text: flipped(text, "connections", 8, 20)),  # another bit of the word
        ("dense_program", lambda text: flipped(text, "connections", 8, 13)),  # of another word
        ("dense_program", lambda text: flipped(text, "connections", 6, 98)),  # of another bank
        ("dense", replaced("sum <= score_ends[4] ? ", "sum <= score_ends[4] & 1'b0 ? ")),  # sums run on
        ("dense", replaced("total = sum + ", "total = sum + 1'b1 + ")),
        ("dense", replaced("half <= ~half", "half <= half")),
        ("dense", replaced("& row5 <= ", "& row5 < ")),  # the last row of results is not written
        ("dense", replaced("row5 <= row4", "row5 <= row3")),
        ("dense_keep1", replaced("half <= half ^ last", "half <= half")),
        ("dense_keep3", replaced("assign out_address = {half, address}", "assign out_address = {half, ~address}")),
        ("dense_bits", replaced("word3[place[2:0]]", "word3[place[2:0] ^ 3'd1]")),
    ],
)
def test_wrong_rtl_is_found(tmp_path: Path, file: str, edit: Callable[[str], str]) -> None:
    made_ = folded(TWO, 2)
    name = f"stack_{file}.v"
    wrong = edit(made_.design.files[name])
    assert wrong != made_.design.files[name]
    assert run(made_, edited(made_.design, {name: wrong}), tmp_path)[1]
