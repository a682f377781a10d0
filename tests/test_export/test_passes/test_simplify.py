"""The passes that simplify LUTs, on drawn netlists: each keeps scores and nets, and reaches its fixed point at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from netlists import layered_netlist, netlists_with_codes
from rewrites import equal_after

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.passes.fold_constants import fold_constants
from difflut.export.passes.merge_duplicates import merge_duplicates
from difflut.export.passes.pipelines import SIMPLIFY, Pass
from difflut.export.passes.rewriter import Rewritten, unchanged


@pytest.mark.parametrize("step", SIMPLIFY)
@given(case=netlists_with_codes())
@settings(max_examples=40, deadline=None)
def test_keeps_scores_and_nets(step: Pass, case: tuple[Netlist, np.ndarray]) -> None:
    equal_after(step, *case, settles=step is not merge_duplicates)


@pytest.mark.parametrize("step", SIMPLIFY)
@given(case=netlists_with_codes(max_inputs=3, max_nodes=8))
@settings(max_examples=40, deadline=None)
def test_keeps_scores_of_staged_netlists_of_small_luts(step: Pass, case: tuple[Netlist, np.ndarray]) -> None:
    netlist, codes = case
    equal_after(step, assign_stages(netlist), codes, settles=step is not merge_duplicates)


@pytest.mark.parametrize("step", SIMPLIFY)
def test_leaves_a_netlist_without_its_pattern_alone(step: Pass) -> None:
    # Distinct inputs; random tables of six inputs have full support, and 60 of them are distinct.
    rng = np.random.default_rng(3)
    builder = NetlistBuilder("distinct", InputFormat(120, 8))
    nets = builder.add_comparators(np.arange(120), np.full(120, 9))
    for nodes in (40, 20):
        fanin = np.stack([rng.choice(nets, 6, replace=False) for _ in range(nodes)])
        nets = builder.add_layer(fanin, rng.random((nodes, 64)) < 0.5)
    netlist = builder.finish(nets.reshape(2, 10))
    assert step(netlist).netlist is netlist


def test_a_wrong_pass_is_caught() -> None:
    netlist = layered_netlist((20, 10), features=4, comparators=12, seed=1)
    codes = np.random.default_rng(0).integers(0, 256, (100, 4))

    def wrong(given: Netlist) -> Rewritten:
        flipped = given.lut_tables.copy()
        flipped ^= np.uint64(0xFF)
        return unchanged(given.with_(lut_tables=flipped))

    with pytest.raises(AssertionError):
        equal_after(wrong, netlist, codes)
    equal_after(fold_constants, netlist, codes)
