"""What a streaming circuit compares of one pixel, as a netlist of its own."""

from __future__ import annotations

from difflut.export.convolution.ir import ConvolutionalNetlist
from difflut.export.ir import InputFormat, Netlist, NetlistBuilder


def pixel_netlist(netlist: ConvolutionalNetlist) -> Netlist:
    """The comparisons of a pixel: feature c is the code of colour c, score e the one net that is channel e of map 0."""
    form = netlist.input
    builder = NetlistBuilder(f"{netlist.name}_pixel", InputFormat(netlist.size.channels, form.width_bits, form.signed))
    nets = builder.add_comparators(netlist.compare_channel, netlist.compare_threshold)
    return builder.finish(nets[:, None])
