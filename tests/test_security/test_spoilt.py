"""Whatever is spoilt in a file, and whatever an option says: a command gives its result or one message.

No traceback, crash, hang or gigabytes; nothing that a terminal obeys; nothing wrong taken for right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apart import Apart
from spoilt import KINDS, judged

# Every Nth case of a kind, coprime to the number of values and of commands, so that in time all are met.
STEPS = {"options": 211, "checkpoints": 79, "manifests": 397, "netlists": 797, "stored": 397, "data": 67}


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    with Apart() as server:
        yield server


def faults(kind: str, step: int, apart: Apart, tmp_path: Path) -> tuple[int, list[str]]:
    """How many cases ran, and what went wrong with which."""
    found, number = [], 0
    for number, case in enumerate(KINDS[kind](step), 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome, fault = judged(case, apart, folder)
        if fault:
            found.append(f"{fault}: {case.label}: {outcome.raised or outcome.err or outcome.out}")
    return number, found


@pytest.mark.parametrize("kind", KINDS)
def test_some(kind: str, apart: Apart, tmp_path: Path) -> None:
    ran, found = faults(kind, STEPS[kind], apart, tmp_path)
    assert ran >= 3 and not found, "\n".join(found)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_all(kind: str, apart: Apart, tmp_path: Path) -> None:
    ran, found = faults(kind, 1, apart, tmp_path)
    assert ran >= 900 and not found, "\n".join(found)
