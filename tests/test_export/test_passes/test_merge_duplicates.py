import numpy as np
from rewrites import equal_after

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.passes.merge_duplicates import merge_duplicates

AND, NAND, OR = ([0, 0, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1])
CODES = np.array([[a, b] for a in (0, 1) for b in (0, 1)])


def two_inputs(tables: list[list[int]], fanin: list[list[int]], heads: list[int], reader: bool = False) -> Netlist:
    """LUTs on the two bits x and y (nets 2 and 3); `heads`, and with `reader` an OR of the first two, are counted."""
    builder = NetlistBuilder("two", InputFormat(2, 1))
    builder.add_comparators([0, 1], [1, 1])
    nets = builder.add_layer(fanin, np.array(tables, bool))
    counted = [int(nets[i]) for i in heads]
    if reader:
        counted += builder.add_layer([nets[:2]], np.array([OR], bool)).tolist()
    return builder.finish([counted])


def test_equal_up_to_permutation() -> None:
    less = [[0, 1, 0, 0], [0, 0, 1, 0]]  # x and not y, written in both orders
    result = equal_after(merge_duplicates, two_inputs(less, [[2, 3], [3, 2]], [0, 1]), CODES)
    assert result.luts == 1
    assert result.head.nets.tolist() == [4, 4]


def test_not_equal_without_the_permutation() -> None:
    netlist = two_inputs([[0, 1, 0, 0], [0, 1, 0, 0]], [[2, 3], [3, 2]], [0, 1])
    assert merge_duplicates(netlist).netlist is netlist


def test_a_reader_absorbs_the_complement() -> None:
    result = equal_after(merge_duplicates, two_inputs([AND, NAND], [[2, 3], [2, 3]], [0], reader=True), CODES)
    assert result.luts == 2
    assert result.head.nets.tolist() == [4, 5]


def test_the_first_takes_the_polarity_and_origin_that_the_head_reads() -> None:
    rewritten = merge_duplicates(two_inputs([AND, NAND], [[2, 3], [2, 3]], [1], reader=True))
    assert rewritten.netlist.luts == 2
    assert rewritten.netlist.table(0) == 0b0111
    assert rewritten.netlist.lut_node.tolist() == [1, 0]
    assert rewritten.source.tolist() == [0, 1, 2, 3, 4, 6]
    assert rewritten.inverted.tolist() == [False] * 4 + [True, False]
    equal_after(merge_duplicates, two_inputs([AND, NAND], [[2, 3], [2, 3]], [1], reader=True), CODES)


def test_one_lut_of_each_polarity_stays_for_the_head() -> None:
    four = two_inputs([AND, NAND, NAND, AND], [[2, 3], [2, 3], [3, 2], [3, 2]], [0, 1, 2, 3])
    result = equal_after(merge_duplicates, four, CODES)
    assert result.luts == 2
    assert result.head.nets.tolist() == [4, 5, 5, 4]


def test_luts_of_different_stages_stay() -> None:
    netlist = two_inputs([AND, AND], [[2, 3], [2, 3]], [0, 1]).with_(stage=[1, 1, 2, 3])
    assert merge_duplicates(netlist).netlist is netlist
