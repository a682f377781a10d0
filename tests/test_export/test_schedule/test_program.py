"""Programs of folded circuits, interpreted, against the simulation of their netlists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import layered_netlist, netlists

from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import NetlistError
from difflut.export.schedule.folded.interpret import interpret
from difflut.export.schedule.folded.pipeline import PIPELINE
from difflut.export.schedule.folded.program import make_program


def on_bits(netlist: Netlist) -> Netlist:
    """The netlist with each comparator as a feature of its own."""
    return netlist.with_(
        input=InputFormat(max(1, netlist.comparators), 1),
        compare_feature=np.arange(netlist.comparators, dtype=np.int32),
        compare_threshold=np.ones(netlist.comparators, np.int32),
    )


def features_of(netlist: Netlist, samples: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 2, (samples, netlist.input.features))


@settings(max_examples=60, deadline=None)
@given(netlist=netlists(), lanes=st.integers(1, 5), samples=st.sampled_from([0, 1, 40]), seed=st.integers(0, 9))
def test_interpreted_programs_agree(netlist: Netlist, lanes: int, samples: int, seed: int) -> None:
    netlist = on_bits(netlist)
    features = features_of(netlist, samples, seed)
    program = make_program(netlist, lanes)
    assert program.lanes == lanes and program.tables.shape == (program.rows, lanes, 1 << program.inputs)
    np.testing.assert_array_equal(interpret(program, features), simulate(netlist, features).scores)


def test_rows() -> None:
    """One level: each score's LUTs fill its rows; two levels: the second waits for the pipeline."""
    flat = make_program(on_bits(layered_netlist((50,), comparators=90)), 4)
    assert (flat.rows, flat.result_rows, flat.idle_lanes) == (20, 0, 30)
    assert flat.last.tolist() == [False, True] * 10
    deep = make_program(on_bits(layered_netlist((3, 10), comparators=90)), 4)
    assert (deep.rows, deep.result_rows) == (PIPELINE.result_rows + 10, 1)
    assert deep.last.tolist() == [True] + [False] * (PIPELINE.result_rows - 1) + [True] * 10


def test_constants_and_repeated_nets_count() -> None:
    builder = NetlistBuilder("net", InputFormat(2, 1))
    first, second = builder.add_comparators([0, 1], 1).tolist()
    (both,) = builder.add_layer([[first, second, 1]], np.arange(8)[None] == 7).tolist()
    netlist = builder.finish(Head(np.array([0, 4, 6, 8]), np.array([both, both, 1, 0, first, both, 0, 0])))
    features = np.array([[0, 0], [1, 0], [1, 1]])
    for lanes in (1, 2, 7):
        assert interpret(make_program(netlist, lanes), features).tolist() == [[1, 0, 0], [1, 1, 0], [3, 2, 0]]


def test_wrong_programs_are_found() -> None:
    netlist = on_bits(layered_netlist((8, 10), comparators=40, n=3))
    features = features_of(netlist, 200)
    program = make_program(netlist, 2)
    right = interpret(program, features)
    flipped = program.tables.copy()
    flipped[-1, 0] ^= True
    assert (interpret(replace(program, tables=flipped), features) != right).any()
    swapped = program.reads.copy()
    swapped[-1, 0, :2] = swapped[-1, 0, 1::-1]
    assert (interpret(replace(program, reads=swapped), features) != right).any()
    with pytest.raises(NetlistError, match="row 7 reads bit 47; at that time there are bits 0 to 45"):
        interpret(replace(program, reads=program.reads[1:], tables=program.tables[1:], last=program.last[1:]), features)


def test_codes_of_several_bits_are_refused() -> None:
    with pytest.raises(NetlistError) as caught:
        make_program(layered_netlist((10,)), 1)
    assert str(caught.value) == (
        "netlist 'synthetic' has the input InputFormat(features=784, width_bits=8, signed=False); a folded circuit "
        "reads features of one bit"
    )
