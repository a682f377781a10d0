"""What can be learned of a netlist without changing it: levels, which nets matter, counts, a LUT estimate.

All functions take a netlist that `difflut.export.circuit.rules.check` accepts. None has a Python loop per LUT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import FIRST_NET, IntArray, Netlist
from difflut.export.families.family import GENERIC, Target
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.head.cost import head_luts
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import plan_head
from difflut.export.schedule.packing import pair_luts


def independent_runs(netlist: Netlist) -> Iterator[slice]:
    """Cut the LUTs, in their order, into maximal runs of which no LUT reads another; yield the LUT ranges.

    A netlist in layer order gives one run a layer. The worst case, one run a LUT, is a chain.
    """
    if netlist.luts == 0:
        return
    latest_read = np.maximum.accumulate(np.maximum.reduceat(netlist.lut_fanin, netlist.lut_offsets[:-1]))
    start = 0
    while start < netlist.luts:
        stop = int(np.searchsorted(latest_read, netlist.first_lut_net + start, side="left"))
        yield slice(start, stop)
        start = stop


def levels(netlist: Netlist) -> IntArray:
    """int32 (C + L,): the level of each cell: 1 for a comparator, for a LUT 1 + the largest level of its fan-in.

    Constants have the level 0, so a LUT that reads only constants has the level 1.
    """
    level = np.zeros(netlist.nets, np.int32)
    level[FIRST_NET : netlist.first_lut_net] = 1
    offsets = netlist.lut_offsets
    for run in independent_runs(netlist):
        first, last = offsets[run.start], offsets[run.stop]
        fanin_level = level[netlist.lut_fanin[first:last]]
        own = slice(netlist.first_lut_net + run.start, netlist.first_lut_net + run.stop)
        level[own] = 1 + np.maximum.reduceat(fanin_level, offsets[run] - first)
    return level[FIRST_NET:]


def live_nets(netlist: Netlist) -> npt.NDArray[np.bool_]:
    """bool (nets,): the nets from which a path leads to the head."""
    live = np.zeros(netlist.nets, np.bool_)
    live[netlist.head.nets] = True
    for run in reversed(list(independent_runs(netlist))):
        first, last = netlist.lut_offsets[run.start], netlist.lut_offsets[run.stop]
        own = live[netlist.first_lut_net + run.start : netlist.first_lut_net + run.stop]
        read = netlist.lut_fanin[first:last][np.repeat(own, netlist.lut_inputs[run])]
        live[read] = True
    return live


@dataclass(frozen=True)
class LayerEstimate:
    """One layer of the model: its number (-1 for LUTs of the encoder and of passes), its LUTs, their LUT6 estimate."""

    layer: int
    luts: int
    lut6: int


@dataclass(frozen=True)
class LutEstimate:
    """An estimate of six-input LUTs by part; see `estimate_luts` for the formulas."""

    encoder: int
    layers: tuple[LayerEstimate, ...]
    head: int

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return self.encoder + sum(layer.lut6 for layer in self.layers) + self.head


@dataclass(frozen=True)
class Summary:
    """The figures of a netlist that reports show."""

    name: str
    features: int
    features_read: int
    comparators: int
    comparators_read: int
    luts: int
    luts_read: int
    levels: int
    stages: int
    classes: int
    score_width_bits: int
    lut6: LutEstimate

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, strings and numbers; `lut6` has its `total` added."""
        values = asdict(self)
        values["lut6"]["layers"] = list(values["lut6"]["layers"])
        values["lut6"]["total"] = self.lut6.total
        return values


def features_read(netlist: Netlist) -> IntArray:
    """int32, ascending: the features from which a path leads to the head."""
    live = live_nets(netlist)[FIRST_NET : netlist.first_lut_net]
    return np.unique(netlist.compare_feature[live])


def estimate_luts(netlist: Netlist, target: Target = GENERIC, outputs: Outputs | None = None) -> LutEstimate:
    """Estimate the six-input LUTs of every cell in the netlist as it stands (run the passes first).

    - Encoder: the LUTs of `plan_encoder` for the target, an exact count.
    - Layers: a LUT with n <= 6 inputs is one; n = 7 is two and n = 8 is four, joined by the slice's multiplexers. Two
      that share a dual-output LUT (`pair_luts`) count once, in the layer of the first.
    - Head: the LUTs of its plan for the target (`difflut.export.heads`), exact where primitives are instantiated.
    """
    encoder = plan_encoder(netlist, target).luts

    lut6 = np.left_shift(1, np.maximum(netlist.lut_inputs - 6, 0))
    partner = pair_luts(netlist, target)
    lut6[(partner >= 0) & (partner < np.arange(netlist.luts))] = 0
    numbers, index = np.unique(netlist.lut_layer, return_inverse=True)
    counts = np.bincount(index, minlength=len(numbers))
    costs = np.bincount(index, weights=lut6, minlength=len(numbers))
    layers = tuple(
        LayerEstimate(int(layer), int(count), int(cost))
        for layer, count, cost in zip(numbers, counts, costs, strict=True)
    )

    return LutEstimate(encoder, layers, head_luts(plan_head(netlist.head, target, outputs), target))


def summarise(netlist: Netlist, target: Target = GENERIC, outputs: Outputs | None = None) -> Summary:
    """Collect the figures that reports show."""
    live = live_nets(netlist)
    return Summary(
        name=netlist.name,
        features=netlist.input.features,
        features_read=len(features_read(netlist)),
        comparators=netlist.comparators,
        comparators_read=int(np.count_nonzero(live[FIRST_NET : netlist.first_lut_net])),
        luts=netlist.luts,
        luts_read=int(np.count_nonzero(live[netlist.first_lut_net :])),
        levels=int(levels(netlist).max(initial=0)),
        stages=netlist.last_stage,
        classes=netlist.head.classes,
        score_width_bits=netlist.head.score_width_bits,
        lut6=estimate_luts(netlist, target, outputs),
    )
