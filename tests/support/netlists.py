"""Netlists for tests and benchmarks: Hypothesis strategies for small ones, a generator for large ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from difflut.export.circuit.netlist import FIRST_NET, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.schedule.head.plan import plan_head
from difflut.export.schedule.levels import Levels, Plan
from difflut.export.schedule.timing import find_levels

Codes = npt.NDArray[np.int64]


@st.composite
def input_formats(draw: st.DrawFn, max_features: int = 4, max_width_bits: int = 16) -> InputFormat:
    return InputFormat(
        features=draw(st.integers(1, max_features)),
        width_bits=draw(st.integers(1, max_width_bits)),
        signed=draw(st.booleans()),
    )


@st.composite
def netlists(draw: st.DrawFn, max_inputs: int = 8, max_layers: int = 5, max_nodes: int = 5) -> Netlist:
    """Well-formed netlists, all in stage 0.

    Any LUT may read any earlier net, constants and one net several times included; comparators may be equal, bits of
    codes or unread, layers have different numbers of inputs, groups unequal sizes, and the head may count a net twice
    and take several decisions.
    """
    form = draw(input_formats())
    builder = NetlistBuilder(draw(st.sampled_from(["toy", "a b", 'quo"te', "größe"])), form)
    nets = FIRST_NET
    for _ in range(draw(st.integers(0, 2))):
        count = draw(st.integers(1, 5))
        features = draw(st.lists(st.integers(0, form.features - 1), min_size=count, max_size=count))
        thresholds = draw(st.lists(st.integers(form.lowest, form.highest + 1), min_size=count, max_size=count))
        nets = max(nets, 1 + int(builder.add_comparators(features, thresholds).max()))
    bits = draw(st.sets(st.integers(0, form.features * form.width_bits - 1), max_size=4))
    if bits:
        nets = 1 + int(builder.add_bits(*np.divmod(sorted(bits), form.width_bits)).max())
    for _ in range(draw(st.integers(0, max_layers))):
        n = draw(st.integers(1, max_inputs))
        nodes = draw(st.integers(1, max_nodes))
        fanin = draw(st.lists(st.integers(0, nets - 1), min_size=nodes * n, max_size=nodes * n))
        tables = [draw(st.integers(0, 2 ** (1 << n) - 1)) for _ in range(nodes)]
        entries = np.array([[table >> address & 1 for address in range(1 << n)] for table in tables], np.bool_)
        nets = 1 + int(builder.add_layer(np.reshape(fanin, (nodes, n)), entries).max())
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    groups = [draw(_group(size, nets)) for size in sizes]
    return builder.finish(Head(np.cumsum([0, *sizes]), np.concatenate(groups), draw(decisions(len(sizes)))))


def _group(size: int, nets: int) -> st.SearchStrategy[list[int]]:
    """What a score counts; now and then constants only."""
    some = st.lists(st.integers(0, nets - 1), min_size=size, max_size=size)
    return st.one_of(some, some, some, st.lists(st.integers(0, 1), min_size=size, max_size=size))


@st.composite
def decisions(draw: st.DrawFn, scores: int) -> list[int]:
    """Among how many neighbouring scores each decision is taken; often one among all."""
    ends = draw(st.sets(st.integers(1, scores - 1), max_size=3)) if scores > 1 and draw(st.booleans()) else set()
    return np.diff([0, *sorted(ends), scores]).tolist()


@st.composite
def staged_netlists(draw: st.DrawFn) -> Netlist:
    """Netlists whose stages are any that the rules allow: combinational chains, gaps, skips, stage 0."""
    netlist = draw(netlists())
    stage = [draw(st.integers(0, 2)) for _ in range(netlist.comparators)]
    for lut in range(netlist.luts):
        sources = [stage[net - FIRST_NET] for net in netlist.fanin(lut).tolist() if net >= FIRST_NET]
        stage.append(max(sources, default=0) + draw(st.sampled_from([0, 0, 1, 1, 2])))
    return netlist.with_(stage=np.array(stage, np.int32))


def codes_for(netlist: Netlist, samples: int, seed: int = 0) -> Codes:
    """int64 (samples, features): random codes, the ends of the range, and codes at and next to each threshold."""
    rng = np.random.default_rng(seed)
    form = netlist.input
    shape = (samples, form.features)
    anywhere = rng.integers(form.lowest, form.highest + 1, shape)
    thresholds = netlist.compare_threshold[netlist.compare_feature < form.features]
    edges = np.concatenate([[form.lowest, form.highest], thresholds, thresholds - 1])
    return np.where(rng.random(shape) < 0.5, anywhere, rng.choice(edges, shape))


@st.composite
def netlists_with_codes(draw: st.DrawFn, **options: Any) -> tuple[Netlist, Codes]:
    """A netlist and 0 to 130 samples, so that blocks of 64 are empty, partly filled and full."""
    netlist = draw(netlists(**options))
    return netlist, codes_for(netlist, draw(st.integers(0, 130)), draw(st.integers(0, 2**32 - 1)))


def layered_netlist(
    layers: tuple[int, ...],
    *,
    n: int = 6,
    features: int = 784,
    width_bits: int = 8,
    comparators: int = 830,
    classes: int = 10,
    seed: int = 0,
    name: str = "synthetic",
) -> Netlist:
    """A random netlist of LUT layers of the given sizes, each reading the one before; all stages are 0.

    About `comparators` distinct comparisons feed the first layer; the last layer, whose size must be a multiple of
    `classes`, is cut into groups of equal size.
    """
    rng = np.random.default_rng(seed)
    builder = NetlistBuilder(name, InputFormat(features, width_bits))
    nets = builder.add_comparators(
        rng.integers(0, features, comparators), rng.integers(1, 1 << width_bits, comparators)
    )
    for nodes in layers:
        nets = builder.add_layer(rng.choice(nets, (nodes, n)), rng.random((nodes, 1 << n)) < 0.5)
    return builder.finish(nets.reshape(classes, -1))


def levels_of(netlist: Netlist, target: Family = GENERIC) -> Levels:
    """The levels of a netlist whose outputs are scores and class."""
    return find_levels(netlist, plan_head(netlist.head, target))


def emit_options(plan: Plan) -> dict[str, Any]:
    """The options of `emit` that a plan makes."""
    return {"head_registers": plan.head_registers, "last_registered": plan.registers_last_cells}
