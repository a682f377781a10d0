"""Stages of the kernels of a streaming circuit."""

from __future__ import annotations

from dataclasses import replace

from difflut.export.circuit.analysis import levels
from difflut.export.circuit.circuit import ConvolutionalNetlist
from difflut.export.passes.assign_stages import assign_stages


def stage_kernels(netlist: ConvolutionalNetlist) -> ConvolutionalNetlist:
    """A register behind each level of a kernel's LUTs; none behind the bits of the window, which are registers."""
    layers = []
    for layer in netlist.layers:
        deepest = int(levels(layer.kernel).max(initial=0))
        kernel = assign_stages(layer.kernel, frozenset(range(2, deepest + 1)))
        layers.append(replace(layer, kernel=kernel))
    return replace(netlist, layers=tuple(layers))
