"""The files between `test_sim/test_cocotbext.py` and its bench; imports no cocotb."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Frames:
    """What goes in and what must come out.

    Attributes:
        codes: uint8 (N, bytes), frames.
        results: uint8 (N, bytes), their results.
        addresses: int64 (6,), of IDENTITY, CONTROL, FRAMES, RESULTS, DROPPED_SHORT, DROPPED_LONG.
        seed: int64 ().
    """

    codes: npt.NDArray[np.uint8]
    results: npt.NDArray[np.uint8]
    addresses: npt.NDArray[np.int64]
    seed: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Passed:
    """Left only by a run in which every check passed: the number of results that were compared."""

    compared: npt.NDArray[np.int64]
