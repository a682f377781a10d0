"""Which passes run, in which order, and what each of them saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from itertools import groupby
from time import perf_counter
from typing import Any, TypeVar, cast

import numpy as np

from difflut.export.circuit.circuit import Circuit, as_circuit
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.circuit.rules import check, check_assembly
from difflut.export.errors import ExportError, NetlistError
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.passes.bypass_wires import bypass_wires
from difflut.export.passes.circuit_pass import CircuitPass
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.drop_unused_inputs import drop_unused_inputs
from difflut.export.passes.fold_constants import fold_constants
from difflut.export.passes.map_luts import map_luts
from difflut.export.passes.merge_duplicates import merge_duplicates
from difflut.export.passes.merge_repeated_inputs import merge_repeated_inputs
from difflut.export.passes.remove_dead import remove_dead
from difflut.export.passes.rewriter import Rewritten
from difflut.export.passes.share_comparators import share_comparators
from difflut.export.passes.use_dont_cares import use_dont_cares

NetlistPass = Callable[[Netlist], "Netlist | Rewritten"]
Pass = NetlistPass | CircuitPass

C = TypeVar("C", bound=Circuit | Netlist)

# Each may give the others something to do: a merged duplicate is an input read twice, a repeated input a constant.
SIMPLIFY: tuple[NetlistPass, ...] = (
    fold_constants,
    merge_repeated_inputs,
    drop_unused_inputs,
    bypass_wires,
    merge_duplicates,
)


def default(family: Family = GENERIC) -> tuple[NetlistPass, ...]:
    """The passes that an export for `family` runs, in their order."""
    return (
        share_comparators,
        remove_dead,
        *SIMPLIFY,
        use_dont_cares,
        *SIMPLIFY,
        remove_dead,
        _for_family(map_luts, family),
        _for_family(collapse_cones, family),
        *SIMPLIFY,
        remove_dead,
        assign_stages,
    )


def _for_family(step: Callable[..., Rewritten], family: Family) -> NetlistPass:
    """A pass with its family, under its own name."""
    bound: NetlistPass = update_wrapper(partial(step, family=family), step)
    return bound


DEFAULT: tuple[NetlistPass, ...] = default()


class PipelineError(ExportError):
    """A pass failed or broke the circuit; names the pass, those that ran before it, and the cause."""


@dataclass(frozen=True)
class PassReport:
    """What one pass changed, and how long it and the check of its result took.

    `part` is the name of the netlist or circuit that it ran on; a circuit's cells are those of all its parts.
    """

    name: str
    part: str
    comparators_before: int
    comparators_after: int
    luts_before: int
    luts_after: int
    seconds: float


def result_of(step: NetlistPass, netlist: Netlist) -> Rewritten:
    """Run one pass; a pass that only drops or stages cells gives a netlist alone, its nets get the source -1."""
    result = step(netlist)
    if isinstance(result, Rewritten):
        return result
    unknown = np.full(result.nets, -1, np.int32)
    unknown[:FIRST_NET] = range(FIRST_NET)
    return Rewritten(result, unknown, np.zeros(result.nets, np.bool_))


def run(circuit: C, passes: Sequence[Pass] = DEFAULT) -> tuple[C, list[PassReport]]:
    """Run the passes in order, checking the circuit before the first and what each gives.

    A `CircuitPass` gets the whole circuit; all other passes between two of them run on one part after the other.

    Raises:
        NetlistError: the given circuit is not well-formed.
        PipelineError: a pass raised an exception (its cause) or its result is not well-formed.
    """
    check(circuit)
    result, reports = _run_all(as_circuit(circuit), passes)
    return cast(C, result.body if isinstance(circuit, Netlist) else result), reports


def _run_all(circuit: Circuit, passes: Sequence[Pass]) -> tuple[Circuit, list[PassReport]]:
    reports: list[PassReport] = []

    def on_part(steps: Sequence[NetlistPass], part: Netlist) -> Netlist:
        own: list[PassReport] = []
        for step in steps:
            part = _step(step, lambda netlist: result_of(step, netlist).netlist, part, own)  # noqa: B023
        reports.extend(own)
        return part

    for of_circuit, some in groupby(passes, lambda step: isinstance(step, CircuitPass)):
        steps: list[Any] = list(some)
        if of_circuit:
            for step in steps:
                circuit = _step(step, step, circuit, reports)
        else:
            circuit = circuit.map_parts(lambda _, part: on_part(steps, part))  # noqa: B023
            _check_parts(circuit, steps)
    return circuit, reports


def _step(step: Pass, function: Callable[[C], C], circuit: C, reports: list[PassReport]) -> C:
    """The checked result of a step, which is reported behind those before it."""
    name = name_of(step)
    started = perf_counter()
    try:
        result = function(circuit)
        check(result)
    except Exception as error:
        before = ", ".join(report.name for report in reports) or "none"
        raise PipelineError(
            f"{type(circuit).__name__.lower()} {circuit.name!r}: the pass {name} failed (passes before it: {before}): "
            f"{type(error).__name__}: {error}"
        ) from error
    sizes = [_cells(circuit), _cells(result)]
    (comparators_before, luts_before), (comparators_after, luts_after) = sizes
    reports.append(
        PassReport(
            name=name,
            part=circuit.name,
            comparators_before=comparators_before,
            comparators_after=comparators_after,
            luts_before=luts_before,
            luts_after=luts_after,
            seconds=perf_counter() - started,
        )
    )
    return result


def _check_parts(circuit: Circuit, steps: Sequence[Pass]) -> None:
    """Raise PipelineError unless parts that obey their own rules still make a circuit."""
    try:
        check_assembly(circuit)
    except NetlistError as error:
        raise PipelineError(f"the passes {', '.join(map(name_of, steps))} broke the circuit: {error}") from error


def _cells(circuit: Circuit | Netlist) -> tuple[int, int]:
    """Comparators and LUTs of all parts."""
    parts = [part for _, part in as_circuit(circuit).parts()]
    return sum(part.comparators for part in parts), sum(part.luts for part in parts)


def name_of(step: Pass) -> str:
    """What reports call a pass."""
    return str(getattr(step, "__name__", repr(step)))
