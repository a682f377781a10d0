import numpy as np
from hypothesis import given, settings
from netlists import layered_netlist, netlists_with_codes

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.passes.share_comparators import share_comparators


@given(netlists_with_codes())
@settings(max_examples=100, deadline=None)
def test_scores_stay_and_comparators_are_distinct(case: tuple[Netlist, np.ndarray]) -> None:
    netlist, codes = case
    result = share_comparators(netlist)
    check(result)
    assert np.array_equal(simulate(result, codes).scores, simulate(netlist, codes).scores)
    before = list(zip(netlist.compare_feature, netlist.compare_threshold, strict=True))
    after = list(zip(result.compare_feature, result.compare_threshold, strict=True))
    assert after == list(dict.fromkeys(before)), "distinct, in the order of their first occurrence"
    assert np.array_equal(result.lut_tables, netlist.lut_tables)
    assert result.luts == netlist.luts


def test_readers_follow() -> None:
    builder = NetlistBuilder("twins", InputFormat(2, 8))
    a = builder.add_comparators([1, 0], [7, 9])
    b = builder.add_comparators([1, 1], [7, 8])
    out = builder.add_layer([[a[0], b[0], b[1]]], np.arange(8)[None] % 3 == 0)
    result = share_comparators(builder.finish([[out[0], b[0]]]))
    assert result.compare_threshold.tolist() == [9, 7, 8]
    assert result.lut_fanin.tolist() == [3, 3, 4]
    assert result.head.nets.tolist() == [5, 3]


def test_of_copies_in_two_stages_the_earlier_stays() -> None:
    builder = NetlistBuilder("stages", InputFormat(1, 8))
    late, early = builder.add_comparators([0], [7])[0], builder.add_comparators([0], [7])[0]
    out = builder.add_layer([[late], [early]], np.array([[0, 1], [0, 1]], bool))
    netlist = builder.finish([out]).with_(stage=[2, 1, 2, 1])
    check(netlist)
    result = share_comparators(netlist)
    check(result)
    assert result.stage.tolist() == [1, 2, 1]


def test_leaves_distinct_and_unread_comparators_alone() -> None:
    netlist = layered_netlist((20,), features=4, width_bits=12, comparators=300)
    assert share_comparators(netlist) is netlist
