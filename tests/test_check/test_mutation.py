"""Every change of the emitted text is noticed by `verify` or by `prove`, unless it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutation import CAUGHT, SUBJECTS, Outcome, outcomes, row
from tools import require_icarus, require_prover

SEED = 0


def judged(subject: str, count: int, seed: int, folder: Path) -> list[Outcome]:
    require_icarus()
    require_prover()
    found = list(outcomes(subject, count, seed, folder))
    print(row(subject, found))
    for outcome in found:
        if CAUGHT not in (outcome.verify, outcome.prove):
            print(f"  {'SURVIVOR' if outcome.survivor else f'equivalent, {outcome.harmless}'}: {outcome.place}")
    assert [outcome.place for outcome in found if outcome.survivor] == []
    assert [outcome.place for outcome in found if outcome.unsound] == []
    assert any(outcome.verify == CAUGHT for outcome in found) and any(outcome.prove == CAUGHT for outcome in found)
    return found


@pytest.mark.parametrize("subject", ["plain", "folded"])
def test_a_few_changes(subject: str, tmp_path: Path) -> None:
    judged(subject, 2, seed=SEED, folder=tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_operator(subject: str, tmp_path: Path) -> None:
    """Prints a row of the table in docs/proofs.md, and what nobody noticed."""
    judged(subject, 24, seed=SEED, folder=tmp_path)
