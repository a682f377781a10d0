"""Which passes run, in which order, and what each of them saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from time import perf_counter

import numpy as np

from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.circuit.rules import check
from difflut.export.errors import ExportError
from difflut.export.families.family import GENERIC, Target
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.passes.bypass_wires import bypass_wires
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.drop_unused_inputs import drop_unused_inputs
from difflut.export.passes.fold_constants import fold_constants
from difflut.export.passes.merge_duplicates import merge_duplicates
from difflut.export.passes.merge_repeated_inputs import merge_repeated_inputs
from difflut.export.passes.remove_dead import remove_dead
from difflut.export.passes.rewriter import Rewritten
from difflut.export.passes.share_comparators import share_comparators
from difflut.export.passes.use_dont_cares import use_dont_cares

Pass = Callable[[Netlist], "Netlist | Rewritten"]

# Each may give the others something to do: a merged duplicate is an input read twice, a repeated input a constant.
SIMPLIFY: tuple[Pass, ...] = (
    fold_constants,
    merge_repeated_inputs,
    drop_unused_inputs,
    bypass_wires,
    merge_duplicates,
)


def default(target: Target = GENERIC) -> tuple[Pass, ...]:
    """The passes that an export for `target` runs, in their order."""
    return (
        share_comparators,
        remove_dead,
        *SIMPLIFY,
        use_dont_cares,
        *SIMPLIFY,
        remove_dead,
        _for_target(collapse_cones, target),
        *SIMPLIFY,
        remove_dead,
        assign_stages,
    )


def _for_target(step: Callable[..., Rewritten], target: Target) -> Pass:
    """A pass with its target, under its own name."""
    bound: Pass = update_wrapper(partial(step, target=target), step)
    return bound


DEFAULT: tuple[Pass, ...] = default()


class PipelineError(ExportError):
    """A pass failed or broke the netlist; names the pass, those that ran before it, and the cause."""


@dataclass(frozen=True)
class PassReport:
    """What one pass changed, and how long it and the check of its result took."""

    name: str
    comparators_before: int
    comparators_after: int
    luts_before: int
    luts_after: int
    seconds: float


def result_of(step: Pass, netlist: Netlist) -> Rewritten:
    """Run one pass; a pass that only drops or stages cells gives a netlist alone, its nets get the source -1."""
    result = step(netlist)
    if isinstance(result, Rewritten):
        return result
    unknown = np.full(result.nets, -1, np.int32)
    unknown[:FIRST_NET] = range(FIRST_NET)
    return Rewritten(result, unknown, np.zeros(result.nets, np.bool_))


def run(netlist: Netlist, passes: Sequence[Pass] = DEFAULT) -> tuple[Netlist, list[PassReport]]:
    """Run the passes in order, checking the netlist before the first and after each.

    Raises:
        NetlistError: the given netlist is not well-formed.
        PipelineError: a pass raised an exception (its cause) or its result is not well-formed.
    """
    check(netlist)
    reports: list[PassReport] = []
    for step in passes:
        name = getattr(step, "__name__", repr(step))
        started = perf_counter()
        try:
            result = result_of(step, netlist).netlist
            check(result)
        except Exception as error:
            before = ", ".join(report.name for report in reports) or "none"
            raise PipelineError(
                f"netlist {netlist.name!r}: the pass {name} failed (passes before it: {before}): "
                f"{type(error).__name__}: {error}"
            ) from error
        reports.append(
            PassReport(
                name=name,
                comparators_before=netlist.comparators,
                comparators_after=result.comparators,
                luts_before=netlist.luts,
                luts_after=result.luts,
                seconds=perf_counter() - started,
            )
        )
        netlist = result
    return netlist, reports
