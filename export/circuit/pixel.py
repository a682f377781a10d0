"""What a circuit compares of what it takes in a cycle, as a netlist."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder


def pixel_netlist(circuit: Circuit, pixels: int = 1) -> Netlist:
    """The comparisons of so many adjacent pixels, each with C colours and E channels.

    Feature C * p + c is the code of colour c of pixel p, score E * p + e the one net that is channel e of map 0 there.
    """
    form, colours = circuit.input, circuit.size.channels
    builder = NetlistBuilder(f"{circuit.name}_pixel", InputFormat(pixels * colours, form.width_bits, form.signed))
    features = (colours * np.arange(pixels)[:, None] + circuit.compare_channel).reshape(-1)
    nets = builder.add_comparators(features, np.tile(circuit.compare_threshold, pixels))
    return builder.finish(nets[:, None])


def compared(circuit: Circuit, pixels: int = 1) -> Netlist:
    """The netlist whose comparators read the port of the codes: `pixel_netlist`, or the body of whole samples."""
    return pixel_netlist(circuit, pixels) if circuit.layers else circuit.body
