"""What a netlist will cost before anything was synthesised: six-input LUTs by part, and the figures that reports show.

All functions take a netlist that `difflut.export.circuit.rules.check` accepts. None has a Python loop per LUT.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from difflut.export.circuit.analysis import features_read, levels, live_nets
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.families.family import GENERIC, Target
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.head.cost import head_luts
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import plan_head
from difflut.export.schedule.packing import pair_luts


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
