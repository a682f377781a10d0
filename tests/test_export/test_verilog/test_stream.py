"""Streaming RTL against PyTorch in Icarus: scores, latency and initiation interval, with gaps and resets."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from convolutions import FILTERED, MAJORITY, SIGNED_FILTER, Plan, Step, made, plans
from edited_designs import edited
from hypothesis import given, settings
from icarus import binary
from pixel_runs import Answer, Image, gaps, send
from small_models import random_codes

from difflut.errors import ConfigError
from difflut.export.circuit.circuit import Circuit
from difflut.export.frontend.trace import trace_circuit
from difflut.export.passes import pipelines
from difflut.export.schedule.stream.plan import Schedule, plan_schedule, stage_kernels
from difflut.export.schedule.stream.words import plan_words
from difflut.export.verilog.design import Design
from difflut.export.verilog.stream import emit_stream
from difflut.input_format import InputFormat
from difflut.models import BaseModel
from difflut.training import predict_scores


def staged(model: BaseModel) -> Circuit:
    return stage_kernels(pipelines.run(trace_circuit(model))[0])


@dataclass(frozen=True)
class Run:
    """What a design gave for images of which one was cut short, and what PyTorch gives for the others."""

    design: Design
    answers: list[Answer]
    expected: list[dict[str, str]]

    @property
    def wrong(self) -> list[int]:
        """The images with another result."""
        pairs = zip(self.answers, self.expected, strict=True)
        return [number for number, (answer, ports) in enumerate(pairs) if answer.ports != ports]


def run_axi(
    model: BaseModel,
    folder: Path,
    netlist: Circuit,
    schedule: Schedule,
    design: Design,
    seed: int = 0,
) -> Run:
    """Images back to back, with gaps, after a pause, and around a reset in mid image."""
    random = np.random.default_rng(seed)
    codes = random_codes(model, 9, seed)
    scores, classes = predict_scores(model, codes)
    rows = codes.reshape(9, -1).numpy().astype(np.int64)
    words = schedule.words[0].total
    none = np.zeros(words, np.int64)
    pause = none.copy()
    pause[0] = design.latency_cycles + 3
    images = [
        *(Image(row, none) for row in rows[:3]),  # back to back
        *(Image(row, gaps(random, words, 3)) for row in rows[3:5]),
        # After the pause nothing of the image before is under way, which the reset would clear as well.
        Image(rows[5], pause[: int(random.integers(1, words + 1))], cut=True),
        Image(rows[6], none),
        Image(rows[7], gaps(random, words, 40)),
        Image(rows[8], pause),
    ]
    head = netlist.body.head
    expected = [
        {
            "out_scores": binary(scores[sample].tolist(), head.score_width_bits),
            "out_class": binary([int(classes[sample])], head.class_width_bits),
        }
        for sample in range(9)
        if not images[sample].cut
    ]
    return Run(design, send(design, netlist, images, folder), expected)


def check_stream(model: BaseModel, folder: Path, netlist: Circuit, pixels_per_cycle: int = 1, seed: int = 0) -> Run:
    """Every output of every image, and when it came."""
    schedule = plan_schedule(netlist, pixels_per_cycle)
    design = emit_stream(netlist, schedule)
    run = run_axi(model, folder, netlist, schedule, design, seed)
    assert len(run.answers) == 8
    assert not run.wrong, (pixels_per_cycle, run.wrong)
    assert {answer.edge - answer.last_word for answer in run.answers} == {design.latency_cycles}
    ends = [answer.last_word for answer in run.answers]
    assert {ends[1] - ends[0], ends[2] - ends[1]} == {design.initiation_interval}
    words = schedule.words[0]
    assert words.total == words.rows * -(-words.columns // pixels_per_cycle)
    return run


def possible_pixels(netlist: Circuit) -> list[int]:
    """The numbers of pixels a cycle that the strides of a network let pass."""
    possible = []
    for pixels in range(1, netlist.size.columns + 1):
        try:
            plan_words(netlist, pixels)
        except ConfigError:
            continue
        possible.append(pixels)
    return possible


@pytest.mark.parametrize(
    "plan",
    [
        Plan((1, 4, 5), (Step(2, (3, 3), padding=(1, 1)),)),
        Plan(
            (2, 6, 6),
            (
                Step(4, (3, 3), padding=(1, 1)),
                Step(0, (2, 2), (2, 2)),
                Step(6, (3, 3), padding=(1, 1)),
                Step(0, (2, 2), (2, 2)),
            ),
            read=(2, 4),
            bits=2,
        ),
        Plan(
            (1, 7, 5),
            (Step(2, (5, 5), (2, 2), (2, 2), depth=2), Step(4, (1, 1), groups=2), Step(2, (3, 2), (1, 2), (1, 0))),
            read=(0, 3),
        ),
        # Strides that divide the words, and words that divide the strides.
        Plan(
            (1, 4, 12),
            (Step(2, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2)), Step(2, (3, 3), (1, 3), (1, 1))),
            read=(1, 3),
        ),
        Plan((1, 5, 17), (Step(2, (5, 5), (1, 4), (2, 2)), Step(2, (1, 3), (1, 2), (0, 1))), read=(0, 2)),
        # The last pixels belong to no window.
        Plan((1, 5, 6), (Step(2, (3, 3), (3, 1), (0, 1), depth=2),)),
        Plan((3, 1, 1), (Step(2, (1, 1)),), bits=1, options={"input_format": InputFormat(4, True, 4.0)}),
        FILTERED,
        SIGNED_FILTER,
        MAJORITY,
    ],
)
def test_streams(plan: Plan, tmp_path: Path) -> None:
    model = made(plan)
    netlist = staged(model)
    possible = possible_pixels(netlist)
    assert {1, plan.shape[2]} <= set(possible)
    for pixels in possible:
        run = check_stream(model, tmp_path, netlist, pixels)
        assert len({ports["out_scores"] for ports in run.expected}) > 1


@settings(max_examples=10, deadline=None)
@given(plan=plans(streaming=True))
def test_random_streams(plan: Plan) -> None:
    """All numbers of pixels a cycle, from one to a row."""
    model = made(plan)
    netlist = staged(model)
    for pixels in possible_pixels(netlist):
        with tempfile.TemporaryDirectory() as folder:
            check_stream(model, Path(folder), netlist, pixels, seed=plan.seed)


TWO = Plan((2, 6, 5), (Step(4, (3, 3), padding=(1, 1)), Step(3, (2, 2), (2, 1))), read=(1, 2), bits=2, widths=(60,))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stack_map1", "COLUMN_IN0 = 3'h6", "COLUMN_IN0 = 3'h7"),  # the pixel before the row
        ("stack_map1", "COLUMN_IN2 = 3'h3", "COLUMN_IN2 = 3'h7"),  # the one behind it, in the row's last word
        ("stack", ".in_bits(bits0)", ".in_bits({bits0[3:0], bits0[7:4]})"),  # the pixels of a word swapped
        ("stack", ".out_bits(bits2)", ".out_bits({bits2[2:0], bits2[5:3]})"),  # the lanes of a layer swapped
        ("stack_map1", ".in_bits(kernel_bits1)", ".in_bits(kernel_bits0)"),
        ("stack_map2", "window <= {pixels, window[31:16]}", "window <= {window[15:0], pixels}"),
        ("stack", "word1 == 5'h04", "word1 == 5'h03"),  # bits for the dense part from the word before
    ],
)
def test_wrong_lanes_are_found(tmp_path: Path, file: str, old: str, new: str) -> None:
    model = made(TWO)
    netlist = staged(model)
    schedule = plan_schedule(netlist, 2)
    design = emit_stream(netlist, schedule)
    assert old in design.files[f"{file}.v"]
    wrong = edited(design, {f"{file}.v": design.files[f"{file}.v"].replace(old, new, 1)})
    assert run_axi(model, tmp_path, netlist, schedule, wrong).wrong


def test_too_much_padding_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        plan_schedule(staged(made(Plan((1, 4, 4), (Step(2, (1, 2), padding=(0, 1)),)))))
    assert str(caught.value) == (
        "layer 1 pads a window of 2 columns with 1 on each side; in a stream twice the padding must be less than the "
        "window, as each pixel gives one position at most: use --conv unrolled"
    )
