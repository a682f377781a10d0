"""The reference semantics of a program: row after row, as the hardware runs it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from difflut.export.errors import NetlistError
from difflut.export.schedule.folded.pipeline import PIPELINE
from difflut.export.schedule.folded.program import Program


def interpret(program: Program, features: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Run a program on samples.

    Args:
        program: the program.
        features: integers 0 or 1, (N, features).

    Returns:
        int64 (N, classes), the scores.

    Raises:
        NetlistError: a row reads a result that is not written yet, or never, or the program gives too few scores.
    """
    samples = len(features)
    bits = np.zeros((program.features + program.result_rows * program.lanes, samples), np.int64)
    bits[: program.features] = features.T
    weights = 1 << np.arange(program.inputs)
    counter = np.zeros(samples, np.int64)
    given: list[npt.NDArray[np.int64]] = []
    for row in range(program.rows):
        reads = program.reads[row]
        written = program.features + max(0, min(row - PIPELINE.result_rows + 1, program.result_rows)) * program.lanes
        if int(reads.max()) >= written:
            raise NetlistError(f"row {row} reads bit {reads.max()}; at that time there are bits 0 to {written - 1}")
        address = np.tensordot(weights, bits[reads], axes=(0, 1))  # (lanes, N)
        results = np.take_along_axis(program.tables[row], address, axis=1)
        if row < program.result_rows:
            first = program.features + row * program.lanes
            bits[first : first + program.lanes] = results
        counter = counter + results.sum(axis=0)
        if program.last[row]:
            given.append(counter)
            counter = np.zeros(samples, np.int64)
    if len(given) < program.classes:
        raise NetlistError(f"the program gives {len(given)} scores; expected {program.classes}")
    return np.stack(given[-program.classes :], axis=1)
