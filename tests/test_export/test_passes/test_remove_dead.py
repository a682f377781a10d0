import numpy as np
from hypothesis import given, settings
from netlists import layered_netlist, netlists_with_codes

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.passes.remove_dead import remove_dead


def read_by_somebody(netlist: Netlist) -> set[int]:
    return {0, 1, *netlist.lut_fanin.tolist(), *netlist.head.nets.tolist()}


@given(netlists_with_codes())
@settings(max_examples=100, deadline=None)
def test_scores_stay_and_everything_left_is_read(case: tuple[Netlist, np.ndarray]) -> None:
    netlist, codes = case
    result = remove_dead(netlist)
    check(result)
    assert np.array_equal(simulate(result, codes).scores, simulate(netlist, codes).scores)
    assert set(range(result.nets)) == read_by_somebody(result)
    assert (result.name, result.input) == (netlist.name, netlist.input)
    assert remove_dead(result) == result


def test_a_dead_chain_goes_and_the_rest_keeps_order_origin_and_stage() -> None:
    builder = NetlistBuilder("chain", InputFormat(3, 2))
    x, y, z = builder.add_comparators([0, 1, 2], [1, 2, 3])
    first = builder.add_layer([[x], [y], [z]], np.array([[0, 1], [1, 0], [0, 1]], bool))
    builder.add_layer([[first[1], y]], np.array([[0, 0, 0, 1]], bool))
    netlist = builder.finish([[first[2], 1], [first[0], z]]).with_(stage=[1, 1, 2, 3, 4, 5, 6])
    result = remove_dead(netlist)
    assert result.compare_feature.tolist() == [0, 2]
    assert result.compare_threshold.tolist() == [1, 3]
    assert result.lut_fanin.tolist() == [2, 3]
    assert [result.table(lut) for lut in range(result.luts)] == [2, 2]
    assert result.lut_layer.tolist() == [1, 1]
    assert result.lut_node.tolist() == [0, 2]
    assert result.stage.tolist() == [1, 2, 3, 5]
    assert result.head.nets.tolist() == [5, 1, 4, 3]


def test_leaves_a_live_netlist_and_equal_comparators_alone() -> None:
    netlist = remove_dead(layered_netlist((40, 20), features=3, comparators=10))
    assert remove_dead(netlist) is netlist
    twins = netlist.with_(compare_feature=[0] * netlist.comparators, compare_threshold=[9] * netlist.comparators)
    assert remove_dead(twins) is twins


def test_everything_dead() -> None:
    builder = NetlistBuilder("constant", InputFormat(1, 1))
    builder.add_layer([builder.add_comparators([0], [1])], np.array([[0, 1]], bool))
    result = remove_dead(builder.finish([[1], [0]]))
    check(result)
    assert (result.comparators, result.luts) == (0, 0)
    assert simulate(result, [[0], [1]]).scores.tolist() == [[1, 0], [1, 0]]
