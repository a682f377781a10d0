"""Proof that two netlists compute the same scores for all inputs: a pass's result and what it was given."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.proof.graph import FALSE, TRUE, Graph
from difflut.export.proof.report import OPEN, PROVED, REFUTED, Claim, Counterexample
from difflut.export.proof.solver import Answer, Solver
from difflut.export.proof.specification import (
    Codes,
    add_netlist,
    codes_of_model,
    input_rows,
    nets_in_head,
    sample_codes,
)
from difflut.export.proof.sweep import Sweeper

SAMPLES = 2048
_VARIATIONS = 2048
_SUSPECTS = 8


@dataclass(frozen=True)
class PassOutcome:
    """The claim about two netlists, and an input that refutes it if there is one."""

    claim: Claim
    counterexample: Counterexample | None


def prove_pass(before: Netlist, after: Netlist, name: str, common: Graph | None = None) -> PassOutcome:
    """Prove that `after` gives the scores of `before` for all inputs, or find an input where it does not.

    The class is a function of the scores and of which decisions are taken, so it needs no proof. Each score is the
    number of ones among some nets; the proof pairs the nets of both sides, which is more than is needed: a pass that
    keeps only the sums stays unproved.

    Args:
        before, after: the netlists; their stages are of no importance.
        name: of the pass, for the report.
        common: a graph to build both in first; that of the pass before knows most of the nodes already.
    """
    subject = f"pass {name}"
    statement = f"{after.luts} LUTs after it give the scores of {before.luts} before it"
    if before.input != after.input or not np.array_equal(before.head.decisions, after.head.decisions):
        return PassOutcome(Claim(subject, statement, OPEN, "the inputs, the scores or the decisions differ"), None)
    graph = common if common is not None else Graph()
    old, new = add_netlist(graph, before, 0), add_netlist(graph, after, 0)
    if not _unpaired(before, after, old, new):
        return PassOutcome(Claim(subject, statement, PROVED, "by structure"), None)
    graph = Graph()
    old, new = add_netlist(graph, before, 0), add_netlist(graph, after, 0)
    samples = sample_codes(before, SAMPLES)
    found = _compare(before, after, samples, subject)
    if found is not None:
        return PassOutcome(Claim(subject, statement, REFUTED, "an input gives other scores"), found)
    inputs = input_rows(graph, before.input, samples)
    sweeper = Sweeper(graph, before.input, {node for node in old if node > TRUE}, inputs, SAMPLES // 64)
    swept = sweeper.run()
    old, new = [swept.node_of[node] for node in old], [swept.node_of[node] for node in new]
    open_ = 0
    for left, right in _unpaired(before, after, old, new):
        for mine, theirs in _paired(sweeper.solver, left, right):
            answer = sweeper.solver.compare(mine, theirs)
            open_ += answer is not Answer.EQUAL
            if answer is Answer.DIFFERENT and open_ <= _SUSPECTS:
                model = dict(sweeper.solver.model)
                varied = [codes_of_model(before.input, swept.graph, model, row) for row in samples[:_VARIATIONS]]
                found = _compare(before, after, np.stack(varied), subject)
                if found is not None:
                    return PassOutcome(Claim(subject, statement, REFUTED, "an input gives other scores"), found)
    kinds = ", ".join(f"{count} by {kind}" for kind, count in sorted(swept.proofs.items()))
    if open_:
        return PassOutcome(Claim(subject, statement, OPEN, f"{open_} nets that scores count have no equal"), None)
    return PassOutcome(Claim(subject, statement, PROVED, kinds), None)


def _unpaired(before: Netlist, after: Netlist, old: list[int], new: list[int]) -> list[tuple[list[int], list[int]]]:
    """For each score that needs it: the nodes that it counts before only, and after only."""
    result = []
    for mine, theirs in zip(nets_in_head(before), nets_in_head(after), strict=True):
        left = Counter(old[net] for net in mine if old[net] != FALSE)
        right = Counter(new[net] for net in theirs if new[net] != FALSE)
        if left != right:
            result.append((sorted((left - right).elements()), sorted((right - left).elements())))
    return result


def _paired(solver: Solver, left: list[int], right: list[int]) -> list[tuple[int, int]]:
    """Pairs of which both are equal as far as SAT finds such; constant 0, which counts nothing, fills up."""
    rest = list(right)
    pairs, single = [], []
    for mine in left:
        partner = next((theirs for theirs in [*rest, FALSE] if solver.compare(mine, theirs) is Answer.EQUAL), None)
        if partner is None:
            single.append(mine)
        else:
            pairs.append((mine, partner))
            if partner in rest:
                rest.remove(partner)
    length = max(len(single), len(rest))
    fill = [FALSE] * length
    return pairs + list(zip((single + fill)[:length], (rest + fill)[:length], strict=True))


def _compare(before: Netlist, after: Netlist, codes: Codes, subject: str) -> Counterexample | None:
    expected, got = simulate(before, codes), simulate(after, codes)
    differs = (expected.scores != got.scores).any(axis=1)
    if not differs.any():
        return None
    row = int(differs.argmax())
    return Counterexample(
        claim=subject,
        codes=codes[row].tolist(),
        expected_scores=expected.scores[row].tolist(),
        expected_class=int(expected.classes[row]),
        scores=got.scores[row].tolist(),
        classes=int(got.classes[row]),
    )
