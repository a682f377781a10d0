"""Streaming RTL against PyTorch in Icarus: scores, latency and initiation interval, with gaps and resets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convolutions import Plan, Step, made, plans
from hypothesis import given, settings
from icarus import binary
from small_models import random_codes
from streams import Image, gaps, send

from difflut.errors import ConfigError
from difflut.export.backends.verilog_stream import StreamDesign, emit_stream
from difflut.export.convolution.ir import ConvolutionalNetlist
from difflut.export.convolution.optimise import optimise
from difflut.export.convolution.stages import stage_kernels
from difflut.export.convolution.trace import trace_convolution
from difflut.input_format import InputFormat
from difflut.models import BaseModel
from difflut.training import predict_scores


def emitted(model: BaseModel) -> tuple[ConvolutionalNetlist, StreamDesign]:
    netlist = stage_kernels(optimise(trace_convolution(model))[0])
    return netlist, emit_stream(netlist)


def check_stream(model: BaseModel, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Images back to back, with gaps, after a pause, and around a reset in mid image; every output compared."""
    netlist, design = emitted(model)
    random = np.random.default_rng(seed)
    codes = random_codes(model, 9, seed)
    scores, classes = predict_scores(model, codes)
    rows = codes.reshape(9, -1).numpy().astype(np.int64)
    pixels = netlist.size.pixels
    none = np.zeros(pixels, np.int64)
    pause = none.copy()
    pause[0] = design.latency_cycles + 3
    images = [
        *(Image(row, none) for row in rows[:3]),  # back to back
        *(Image(row, gaps(random, pixels, 3)) for row in rows[3:5]),
        # After the pause nothing of the image before is under way, which the reset would clear as well.
        Image(rows[5], pause[: int(random.integers(1, pixels + 1))], cut=True),
        Image(rows[6], none),
        Image(rows[7], gaps(random, pixels, 40)),
        Image(rows[8], pause),
    ]
    answers = send(design, netlist, images, folder)
    whole = [0, 1, 2, 3, 4, 6, 7, 8]
    assert len(answers) == len(whole)
    for answer, sample in zip(answers, whole, strict=True):
        assert answer.edge - answer.last_pixel == design.latency_cycles
        assert answer.ports["out_scores"] == binary(scores[sample].tolist(), netlist.dense.head.score_width_bits), (
            sample
        )
        assert answer.ports["out_class"] == binary(
            classes[sample : sample + 1].tolist(), netlist.dense.head.class_width_bits
        )
    assert {answers[1].last_pixel - answers[0].last_pixel, answers[2].last_pixel - answers[1].last_pixel} == {
        design.schedule.initiation_interval
    }
    return {"scores": scores, "design": design}


@pytest.mark.parametrize(
    "plan",
    [
        Plan((1, 4, 5), (Step(2, (3, 3), padding=(1, 1)),)),
        Plan((2, 6, 6), (Step(4, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2)), Step(6, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2))), read=(2, 4), bits=2),
        Plan((1, 7, 5), (Step(2, (5, 5), (2, 2), (2, 2), depth=2), Step(4, (1, 1), groups=2), Step(2, (3, 2), (1, 2), (1, 0))), read=(0, 3)),
        # The last pixels belong to no window.
        Plan((1, 5, 6), (Step(2, (3, 3), (3, 1), (0, 1), depth=2),)),
        Plan((3, 1, 1), (Step(2, (1, 1)),), bits=1, options={"input_format": InputFormat(4, True, 4.0)}),
    ],
)  # fmt: skip
def test_streams(plan: Plan, tmp_path: Path) -> None:
    result = check_stream(made(plan), tmp_path)
    assert len(np.unique(result["scores"].numpy(), axis=0)) > 1


@settings(max_examples=10, deadline=None)
@given(plan=plans(streaming=True))
def test_random_streams(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_stream(made(plan), Path(folder), seed=plan.seed)


def test_too_much_padding_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        emitted(made(Plan((1, 4, 4), (Step(2, (1, 2), padding=(0, 1)),))))
    assert str(caught.value) == (
        "layer 1 pads a window of 2 columns with 1 on each side; in a stream twice the padding must be less than the window, "
        "as each pixel gives one position at most: use --conv unrolled"
    )
