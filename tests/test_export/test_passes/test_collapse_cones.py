from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import layered_netlist, netlists_with_codes
from rewrites import equal_after

from difflut.export.circuit import tables as tt
from difflut.export.circuit.bits import unpack
from difflut.export.circuit.netlist import CONST0, CONST1, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes import collapse_cones as module
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.remove_dead import remove_dead

AND, XOR = [0, 0, 0, 1], [0, 1, 1, 0]
CODES = np.random.default_rng(0).integers(0, 4, (200, 8))


def inputs(count: int = 8) -> tuple[NetlistBuilder, list[int]]:
    builder = NetlistBuilder("cones", InputFormat(8, 2))
    return builder, builder.add_comparators(np.arange(count), np.full(count, 2)).tolist()


@given(netlists_with_codes(max_nodes=8), st.sampled_from(sorted(FAMILIES)))
@settings(max_examples=80, deadline=None)
def test_keeps_scores_and_nets_and_the_size_of_luts(case: tuple[Netlist, np.ndarray], fpga: str) -> None:
    netlist, codes = case
    target = find_family(fpga)
    result = equal_after(partial(collapse_cones, family=target), netlist, codes)
    origins = zip(netlist.lut_layer.tolist(), netlist.lut_node.tolist(), strict=True)
    before = dict(zip(origins, netlist.lut_inputs.tolist(), strict=True))
    for layer, node, n in zip(result.lut_layer.tolist(), result.lut_node.tolist(), result.lut_inputs, strict=True):
        assert n <= max(before[layer, node], target.lut_inputs)


@pytest.mark.parametrize(("widths", "n"), [((60,) * 4, 2), ((40, 40, 40), 3), ((30, 30), 4)])
@pytest.mark.parametrize("block", [1, 7, 1 << 14])
def test_keeps_the_scores_of_layers(
    widths: tuple[int, ...], n: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    netlist = remove_dead(layered_netlist(widths, n=n, features=8, width_bits=2, comparators=24))
    assert equal_after(collapse_cones, netlist, CODES).luts < netlist.luts


def test_a_cone_without_fan_out_becomes_one_lut() -> None:
    builder, x = inputs()
    low = builder.add_layer([x[0:2], x[2:4], x[4:6]], np.array([AND, XOR, AND], bool))
    middle = builder.add_layer([low[:2]], np.array([XOR], bool))
    top = builder.add_layer([[middle[0], low[2]]], np.array([XOR], bool))
    result = equal_after(collapse_cones, builder.finish([top]), CODES)
    assert result.luts == 1 and result.lut_inputs.tolist() == [6]
    assert (result.lut_layer.tolist(), result.lut_node.tolist()) == ([3], [0])
    expected = sum(((a & 3 == 3) ^ (a >> 2 & 3 in (1, 2)) ^ (a >> 4 & 3 == 3)) << a for a in range(64))
    by_net = [x.index(net) for net in result.fanin(0).tolist()]
    got = sum((result.table(0) >> sum((a >> net & 1) << i for i, net in enumerate(by_net)) & 1) << a for a in range(64))
    assert got == expected


def test_a_target_of_four_inputs_keeps_what_does_not_fit() -> None:
    builder, x = inputs()
    low = builder.add_layer([x[0:2], x[2:4], x[4:6]], np.array([AND, XOR, AND], bool))
    top = builder.add_layer([low], np.array([[0, 1, 1, 0, 1, 0, 0, 1]], bool))
    result = equal_after(partial(collapse_cones, family=find_family("ice40")), builder.finish([top]), CODES)
    assert result.lut_inputs.tolist() == [2, 2, 4]


def test_a_lut_with_two_readers_goes_into_both() -> None:
    builder, x = inputs()
    low = builder.add_layer([x[0:2]], np.array([XOR], bool))
    top = builder.add_layer([[low[0], x[2]], [low[0], x[3]]], np.array([AND, XOR], bool))
    result = equal_after(collapse_cones, builder.finish([top]), CODES)
    assert result.lut_inputs.tolist() == [3, 3]


def test_one_reader_that_is_full_keeps_it() -> None:
    builder, x = inputs()
    low = builder.add_layer([x[0:2]], np.array([XOR], bool))
    small = builder.add_layer([[low[0], x[2]]], np.array([AND], bool))
    full = builder.add_layer([[low[0], *x[3:8]]], np.random.default_rng(0).random((1, 64)) < 0.5)
    netlist = builder.finish([[small[0], full[0]]])
    assert collapse_cones(netlist).netlist is netlist


def test_a_full_reader_takes_what_reads_its_own_inputs() -> None:
    builder, x = inputs()
    low = builder.add_layer([x[0:2]], np.array([XOR], bool))
    full = builder.add_layer([[low[0], *x[0:5]]], np.random.default_rng(0).random((1, 64)) < 0.5)
    result = equal_after(collapse_cones, builder.finish([full]), CODES)
    assert result.lut_inputs.tolist() == [5]


def test_what_the_head_counts_stays() -> None:
    builder, x = inputs()
    low = builder.add_layer([x[0:2]], np.array([XOR], bool))
    top = builder.add_layer([[low[0], x[2]]], np.array([AND], bool))
    netlist = builder.finish([[low[0], top[0]]])
    assert collapse_cones(netlist).netlist is netlist


def test_constants_count_as_values_not_as_unused_inputs() -> None:
    builder, x = inputs()
    low = builder.add_layer([[CONST0, x[0], CONST1]], np.array([[0, 1, 0, 1, 1, 0, 0, 0]], bool))
    top = builder.add_layer([[low[0], x[1]]], np.array([XOR], bool))
    equal_after(collapse_cones, builder.finish([top]), CODES)


def test_a_long_chain_takes_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []
    collapse = module._Cones.collapse
    monkeypatch.setattr(module._Cones, "collapse", lambda self: rounds.append(0) or collapse(self))
    builder, x = inputs()
    net = x[0]
    for i in range(600):
        net = int(builder.add_layer([[net, x[1 + i % 5]]], np.array([XOR if i % 3 else AND], bool))[0])
    result = equal_after(collapse_cones, builder.finish([[net]]), CODES)
    assert result.luts == 1
    assert len(rounds) < 100


@given(st.data(), st.integers(6, 8))
@settings(max_examples=30, deadline=None)
def test_tables_with_inputs_at_other_places(data: st.DataObject, k: int) -> None:
    words = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1 << (k - 6), max_size=1 << (k - 6)))
    places = data.draw(st.lists(st.integers(0, k - 1), min_size=k, max_size=k))
    table = np.array([words], np.uint64)
    before, after = (unpack(each)[0].tolist() for each in (table, tt.rearranged(table, np.array([places], np.int64))))
    for address in range(1 << k):
        assert after[address] == before[sum((address >> place & 1) << i for i, place in enumerate(places))]
