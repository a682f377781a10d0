"""The passes, on each part of a convolutional netlist."""

from __future__ import annotations

from dataclasses import replace

from difflut.export.circuit.circuit import ConvolutionalNetlist
from difflut.export.families.family import GENERIC, Target
from difflut.export.passes import pipelines


def optimise(
    netlist: ConvolutionalNetlist, target: Target = GENERIC
) -> tuple[ConvolutionalNetlist, dict[str, list[pipelines.PassReport]]]:
    """Run the default passes of `target` on each kernel and on the dense part.

    Returns:
        The netlist, and what each pass changed, by the name of the part.

    Raises:
        NetlistError, PipelineError: as `pipelines.run`.
    """
    passes = pipelines.default(target)
    reports = {}
    layers = []
    for layer in netlist.layers:
        kernel, reports[layer.kernel.name] = pipelines.run(layer.kernel, passes)
        layers.append(replace(layer, kernel=kernel))
    dense, reports[netlist.dense.name] = pipelines.run(netlist.dense, passes)
    return replace(netlist, layers=tuple(layers), dense=dense), reports
