"""The timing estimate: by hand on a small netlist, against a plain recursion on any, and its words."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import emit_options, layered_netlist, levels_of, netlists

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.netlist import CONST1, FIRST_NET, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.delays import Delays
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.passes.remove_dead import remove_dead
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.levels import every_level
from difflut.export.schedule.pipelining import parse_plan
from difflut.export.schedule.timing import Paths, analyse
from difflut.export.verilog.netlist import emit

PLAIN = replace(
    find_family("ecp5"),
    name="plain",
    description="round figures",
    delays=Delays(
        source="made up",
        calibrated=False,
        register_delay_ns=100.0,
        lut_delay_ns=10.0,
        mux_delay_ns=3.0,
        carry_entry_delay_ns=5.0,
        carry_delay_ns_per_bit=0.5,
        net_delay_ns=1.0,
        fanout_delay_ns=0.25,
        span_delay_ns=0.0,
    ),
)


def chain() -> Netlist:
    """Two comparators, a node with two readers, a node of five inputs behind it, counted with the first."""
    builder = NetlistBuilder("chain", InputFormat(2, 4))
    x = builder.add_comparators([0, 1], [8, 3])
    first = builder.add_layer([[x[0], x[1]]], np.array([[0, 1, 1, 0]], np.bool_))
    second = builder.add_layer([[first[0], x[0], x[0], x[1], CONST1]], np.arange(32)[None] % 3 == 0)
    return builder.finish([[first[0], second[0]], [x[1], x[1]]])


def test_delays_by_hand() -> None:
    """Groups of two: their counts have two bits, and so two readers a net."""
    timing = analyse(chain(), PLAIN, every_level(levels_of(chain(), PLAIN)))
    names = [stage.levels for stage in timing.stages]
    assert names == [("encoder",), ("1",), ("2",), ("sum1",), ("argmax1",)]
    encoder, first, second, count, argmax = (stage.delay_ns for stage in timing.stages)
    assert encoder == pytest.approx(100 + 1 + 10)  # x1 >= 3: one LUT; x0 >= 8 is a wire
    assert first == pytest.approx(100 + 1 + 0.25 * np.log2(6) + 10)  # x1: two nodes, and twice two in the head
    assert second == pytest.approx(100 + 1 + 0.25 * np.log2(6) + 10 + 3)
    assert count == pytest.approx(100 + 1 + 0.25 * np.log2(6) + 10)
    assert argmax == pytest.approx(100 + (1 + 0.25) + 10 + 5 + 2 * 0.5 + 1 + 10)
    assert timing.critical == 5 and timing.fmax_mhz == pytest.approx(1e3 / argmax)


def test_paths_in_words_of_the_model() -> None:
    def words(plan: str) -> list[str]:
        netlist = chain()
        return [str(stage) for stage in analyse(netlist, PLAIN, parse_plan(plan, levels_of(netlist, PLAIN))).stages]

    assert words("2,argmax1") == [
        "L2.0 <- L1.0 <- feature 1 >= 3",
        "argmax level 1 <- group sum level 1 <- register of feature 1 >= 3",
    ]
    assert words("encoder,1,sum1")[1:] == [
        "L1.0 <- register of feature 1 >= 3",
        "group sum level 1 <- L2.0 <- register of feature 1 >= 3",
        "argmax level 1 <- register of group sum level 1",
    ]
    assert words("argmax1") == ["argmax level 1 <- group sum level 1 <- L2.0 <- L1.0 <- feature 1 >= 3"]


def test_nodes_that_are_not_the_models_are_named_by_the_export() -> None:
    netlist = chain().with_(lut_layer=np.array([-1, 1]), lut_node=np.array([-1, 7]))
    (path, _) = analyse(netlist, PLAIN, parse_plan("2", levels_of(netlist, PLAIN))).stages
    assert path.path == ("L1.7", "LUT 0 of the export", "feature 1 >= 3")


def test_wide_functions_without_multiplexers_take_more_luts() -> None:
    bare = replace(PLAIN, delays=replace(PLAIN.delays, mux_delay_ns=None))
    assert [PLAIN.lut_ns(n, 1) for n in (1, 4, 5, 6)] == [10, 10, 13, 16]
    assert [bare.lut_ns(n, 1) for n in (1, 4, 5, 6)] == [10, 10, 21, 32]


@given(netlists(), st.sampled_from(sorted(FAMILIES)))
@settings(max_examples=60, deadline=None)
def test_every_possible_stage_agrees_with_a_plain_recursion(netlist: Netlist, name: str) -> None:
    target = FAMILIES[name]
    paths = Paths(netlist, target)
    level = [0, 0, *levels(netlist).tolist()]
    cells, delays = paths.levels.cells, target.delays
    readers = [0] * netlist.nets
    for net in netlist.lut_fanin.tolist():
        readers[net] += 1
    for net in netlist.head.nets.tolist():
        readers[net] += paths.head[0].readers
    depths = plan_encoder(netlist, target).output_levels.tolist()
    on_port = np.bincount(netlist.compare_feature, minlength=netlist.input.features).tolist()

    def stage_delay(first: int, last: int) -> float:
        @cache
        def arrival(net: int) -> float:
            if level[net] < first:
                return delays.register_delay_ns
            if net < netlist.first_lut_net:
                cell = net - FIRST_NET
                if not depths[cell]:  # a wire
                    return delays.register_delay_ns
                hop = delays.net_ns(on_port[netlist.compare_feature[cell]], paths.luts)
                between = max(depths[cell] - 1, 0) * delays.net_ns(1, paths.luts)
                return delays.register_delay_ns + hop + depths[cell] * delays.lut_delay_ns + between
            fanin = netlist.fanin(net - netlist.first_lut_net).tolist()
            latest = max(arrival(source) + delays.net_ns(readers[source], paths.luts) for source in fanin)
            return latest + target.lut_ns(len(fanin), paths.luts)

        if last <= cells:
            return max(arrival(net) for net in range(netlist.nets) if first <= level[net] <= last)
        hops = paths.head[max(first - cells - 1, 0) : last - cells]
        if first > cells + 1:
            entry = delays.register_delay_ns + delays.net_ns(hops[0].readers, paths.luts)
        else:
            entry = max(arrival(net) + delays.net_ns(readers[net], paths.luts) for net in netlist.head.nets.tolist())
        wires = sum(delays.net_ns(hop.readers, paths.luts) for hop in hops[1:])
        return entry + wires + sum(hop.logic_ns for hop in hops)

    costs = paths.stage_delays()
    for start in range(len(paths.levels)):
        for end in range(start, len(paths.levels)):
            expected = stage_delay(start + 1, end + 1)
            stage = paths.stage(range(start, end + 1))
            assert stage.delay_ns == pytest.approx(expected)
            assert len(stage.levels) == end - start + 1
            # A node that nothing reads may be slower than what the head reads.
            assert costs[start, end] >= expected - 1e-9
            if end < cells or start >= cells:
                assert costs[start, end] == pytest.approx(expected)
    upper = np.triu_indices(len(costs), 1)
    assert (costs[upper] >= np.roll(costs, 1, axis=1)[upper] - 1e-9).all()
    assert (costs[upper] >= np.roll(costs, -1, axis=0)[upper] - 1e-9).all()


@pytest.mark.parametrize("plan", [None, "encoder,1,2,argmax2", "encoder,1,2", "encoder,1,2,sum1,argmax1"])
def test_register_bits_are_those_of_the_verilog(plan: str | None) -> None:
    netlist = remove_dead(layered_netlist((120, 40), n=4, features=20, comparators=40, classes=4))
    level = levels_of(netlist)
    chosen = every_level(level) if plan is None else parse_plan(plan, level)
    design = emit(assign_stages(netlist, chosen.cells), **emit_options(chosen))
    counted = 0
    for name, text in design.files.items():
        copies = 4 if "_count" in name else 1
        widths = [int(msb) + 1 for msb in re.findall(r"\breg \[(\d+):0\] (?!valid)", text)]
        counted += copies * sum(widths)
    bits = Paths(netlist, FAMILIES["generic"]).register_bits()
    assert counted == int(bits[list(chosen.places)].sum())
