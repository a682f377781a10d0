from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import codes_for, layered_netlist, netlists_with_codes
from rewrites import equal_after

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.map_luts import map_luts
from difflut.export.passes.pipelines import DEFAULT, run
from difflut.export.passes.remove_dead import remove_dead
from difflut.export.proof.passes import prove_pass

GATES = np.array([[gate >> address & 1 for address in range(4)] for gate in (1, 2, 4, 6, 7, 8, 9, 11, 13, 14)], bool)


def near_gates(gates: int, layers: int, seed: int = 0) -> Netlist:
    """Two-input gates of which neighbours read neighbours, so that cones meet again."""
    rng = np.random.default_rng(seed)
    builder = NetlistBuilder("near", InputFormat(40, 1))
    nets = builder.add_comparators(np.arange(40), np.ones(40, int))
    for _ in range(layers):
        first = np.arange(gates) * len(nets) // gates
        reads = np.stack([first, (first + rng.integers(1, 8, gates)) % len(nets)], axis=1)
        nets = builder.add_layer(nets[reads], GATES[rng.integers(0, len(GATES), gates)])
    return builder.finish(nets.reshape(10, -1))


def depth(netlist: Netlist) -> int:
    return int(levels(netlist).max(initial=0))


@given(netlists_with_codes(max_inputs=3, max_nodes=12), st.sampled_from(sorted(FAMILIES)))
@settings(max_examples=60, deadline=None)
def test_keeps_scores_and_nets(case: tuple[Netlist, np.ndarray], fpga: str) -> None:
    netlist, codes = case
    target = find_family(fpga)
    result = equal_after(partial(map_luts, family=target), netlist, codes, settles=False)
    assert result.lut_inputs.max(initial=0) <= max(target.lut_inputs, netlist.lut_inputs.max(initial=0))


def test_cones_that_meet_again_leave_fewer_and_shallower_luts() -> None:
    netlist = remove_dead(near_gates(600, 4))
    result = equal_after(map_luts, netlist, codes_for(netlist, 500), settles=False)
    left, without = collapse_cones(result).netlist, collapse_cones(netlist).netlist
    assert result is not netlist and left.luts < without.luts and depth(left) <= depth(without)
    assert result.lut_inputs.max() <= 6


def test_where_it_does_not_pay_nothing_changes() -> None:
    target = find_family("ice40")
    netlist = remove_dead(near_gates(600, 4))
    assert map_luts(netlist, target).netlist is netlist
    assert map_luts(netlist, find_family("xcup")).netlist is netlist, "small LUTs share a LUT6_2 there"


def test_networks_of_wide_nodes_stay_as_they_are() -> None:
    for n in (4, 6, 8):
        netlist = layered_netlist((40, 40), n=n, features=8, width_bits=2, comparators=24)
        assert map_luts(netlist).netlist is netlist
    empty = NetlistBuilder("empty", InputFormat(1, 1))
    netlist = empty.finish([empty.add_comparators([0], [1])])
    assert map_luts(netlist).netlist is netlist


def test_nodes_wider_than_a_lut_are_kept_among_small_ones() -> None:
    rng = np.random.default_rng(1)
    builder = NetlistBuilder("wide", InputFormat(20, 1))
    inputs = builder.add_comparators(np.arange(20), np.ones(20, int))
    low = builder.add_layer(inputs[rng.integers(0, 20, (60, 2))], GATES[rng.integers(0, 10, 60)])
    wide = builder.add_layer(low[rng.integers(0, 60, (5, 8))], rng.random((5, 256)) < 0.5)
    top = builder.add_layer(np.stack([rng.permutation(low)[:20], np.tile(wide, 4)], 1), GATES[[5] * 20])
    netlist = remove_dead(builder.finish(top.reshape(5, 4)))
    equal_after(map_luts, netlist, codes_for(netlist, 300), settles=False)


def test_a_whole_pipeline_with_it_is_proved() -> None:
    netlist = near_gates(200, 4, seed=3)
    after, reports = run(netlist, DEFAULT)
    mapped = next(report for report in reports if report.name == "map_luts")
    assert mapped.luts_after < mapped.luts_before
    assert prove_pass(netlist, after, "all").claim.verdict == "proved"
