"""What every test of a rewriting pass asks for: same scores, a well-formed result, and a true map of nets."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate, simulate_nets
from difflut.export.passes.rewriter import Rewritten

ALL_CODES_BITS = 10


def all_codes(netlist: Netlist) -> np.ndarray | None:
    """Every input of the netlist, (N, features), if that is at most 2**ALL_CODES_BITS; else None."""
    form = netlist.input
    if form.features * form.width_bits > ALL_CODES_BITS:
        return None
    return np.array(list(itertools.product(range(form.lowest, form.highest + 1), repeat=form.features)))


def equal_after(
    step: Callable[[Netlist], Rewritten], netlist: Netlist, codes: np.ndarray, *, settles: bool = True
) -> Netlist:
    """Run a pass and compare its result with the netlist, on the codes and, where feasible, on all codes.

    `settles` also asks that a second run finds nothing to do.
    """
    rewritten = step(netlist)
    result = rewritten.netlist
    check(result)
    every = all_codes(netlist)
    for some in (codes, *([every] if every is not None else [])):
        assert np.array_equal(simulate(result, some).scores, simulate(netlist, some).scores)
        before, after = simulate_nets(netlist, some), simulate_nets(result, some)
        known = rewritten.source >= 0
        claimed = before[:, rewritten.source[known]] ^ rewritten.inverted[known]
        assert np.array_equal(after[:, known], claimed)
    assert not settles or step(result).netlist is result, "one run reaches the fixed point"
    return result
