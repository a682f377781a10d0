"""What a netlist will cost before anything was synthesised: the LUTs of each part, in those of a family.

All functions take a netlist that `difflut.export.circuit.rules.check` accepts. None has a Python loop per LUT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from difflut.export.circuit.netlist import Netlist
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.schedule.encoder.plan import plan_encoder
from difflut.export.schedule.head.cost import counter_luts, head_luts, selection_luts
from difflut.export.schedule.head.outputs import Outputs
from difflut.export.schedule.head.plan import HeadPlan, plan_head
from difflut.export.schedule.packing import pair_luts

ENCODER, KERNEL, LAYER, GROUP_SUM, SELECTION = "encoder", "kernel", "layer", "group sum", "argmax"


@dataclass(frozen=True)
class Part:
    """One part of a circuit.

    Attributes:
        name: for people, such as "layer 2".
        kind: ENCODER, KERNEL, LAYER, GROUP_SUM or SELECTION.
        luts: LUTs of the netlist in one copy; 0 for what is planned from words, the encoder and the head.
        estimated_luts: the LUTs of the family that all copies take, estimated; None for what lies in memory.
        copies: how often it is built.
        layer: the model's layer that it is, -1 for LUTs of the export; None for what is no layer.
    """

    name: str
    kind: str
    luts: int
    estimated_luts: int | None
    copies: int = 1
    layer: int | None = None


@dataclass(frozen=True)
class LayerEstimate:
    """One layer of the model: its number (-1 for LUTs of the encoder and of passes), its LUTs, those of the family."""

    layer: int
    luts: int
    estimated_luts: int


@dataclass(frozen=True)
class LutEstimate:
    """An estimate of LUTs by part; see `estimate_luts` for the formulas."""

    encoder: int
    layers: tuple[LayerEstimate, ...]
    head: int

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return self.encoder + sum(layer.estimated_luts for layer in self.layers) + self.head


def estimate_luts(netlist: Netlist, family: Family = GENERIC, outputs: Outputs | None = None) -> LutEstimate:
    """Estimate the family's LUTs for every cell in the netlist as it stands (run the passes first).

    - Encoder: the LUTs of `plan_encoder` for the family, an exact count.
    - Layers: `Family.luts_for` each. Two that share a dual-output LUT (`pair_luts`) count once, in the layer of the
      first.
    - Head: the LUTs of its plan for the family (`difflut.export.schedule.head`), exact where primitives are
      instantiated.
    """
    encoder = plan_encoder(netlist, family).luts

    estimated_luts = np.array([family.luts_for(inputs) for inputs in range(9)])[netlist.lut_inputs]
    partner = pair_luts(netlist, family)
    estimated_luts[(partner >= 0) & (partner < np.arange(netlist.luts))] = 0
    numbers, index = np.unique(netlist.lut_layer, return_inverse=True)
    counts = np.bincount(index, minlength=len(numbers))
    costs = np.bincount(index, weights=estimated_luts, minlength=len(numbers))
    layers = tuple(
        LayerEstimate(int(layer), int(count), int(cost))
        for layer, count, cost in zip(numbers, counts, costs, strict=True)
    )

    return LutEstimate(encoder, layers, head_luts(plan_head(netlist.head, family, outputs), family))


def netlist_parts(netlist: Netlist, family: Family, outputs: Outputs | None = None) -> tuple[Part, ...]:
    """The parts of a netlist with an encoder and a head, in the order of the way through it."""
    estimate = estimate_luts(netlist, family, outputs)
    layers = [
        Part(
            f"layer {layer.layer}" if layer.layer > 0 else "LUTs of the export",
            LAYER,
            layer.luts,
            layer.estimated_luts,
            layer=layer.layer,
        )
        for layer in sorted(estimate.layers, key=lambda layer: layer.layer)
    ]
    head = head_parts(plan_head(netlist.head, family, outputs), family)
    return (Part("encoder", ENCODER, 0, estimate.encoder), *layers, *head)


def head_parts(head: HeadPlan, family: Family) -> Iterator[Part]:
    """The group sum, and where there is something to choose the argmax or top-k."""
    yield Part("group sum", GROUP_SUM, 0, counter_luts(head))
    if head.selection.levels:
        yield Part("top-k" if head.outputs.top else "argmax", SELECTION, 0, selection_luts(head, family))
