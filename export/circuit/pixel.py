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
    colour, bit = circuit.pixel_format.features_and_bits(circuit.compare_channel)
    features, whole = colours * np.arange(pixels)[:, None] + colour, bit < 0
    nets = np.zeros(features.shape, np.int32)
    nets[:, whole] = builder.add_comparators(features[:, whole], circuit.compare_threshold[whole])
    nets[:, ~whole] = builder.add_bits(features[:, ~whole], bit[~whole])
    return builder.finish(nets.reshape(-1, 1))


def compared(circuit: Circuit, pixels: int = 1) -> Netlist:
    """The netlist whose comparators read the port of the codes: `pixel_netlist`, or the body of whole samples."""
    return pixel_netlist(circuit, pixels) if circuit.layers else circuit.body
