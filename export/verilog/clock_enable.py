"""A clock enable for a design: at a rising edge with `ce` low no register and no memory of it changes.

It is added to the text of finished modules, since in every form and part it is the same three things: a port beside
`clk`, a connection beside each of `clk`, and a condition of each clocked statement, which all templates begin alike.
"""

from __future__ import annotations

import re
from dataclasses import replace

from difflut.export.verilog.design import Design, Instance, Module
from difflut.export.verilog.ports import CLOCK, flag_in

ENABLE = flag_in("ce", "clock enable: a rising edge with it low changes nothing, rst included, and counts for nothing")
_INNER = flag_in(ENABLE.name)
_EDGE = f"always @(posedge {CLOCK.name})"
_CONNECTED = re.compile(rf"\.{CLOCK.name}\({CLOCK.name}\),(\s+)")


def with_clock_enable(design: Design) -> Design:
    """The design with an input `ce` behind `clk`; edges with it low do not exist for the design."""
    return replace(design, modules=tuple(_gated(module, design.top) for module in design.modules))


def _gated(module: Module, top: str) -> Module:
    if CLOCK not in module.ports:
        return module
    clk, port = CLOCK.name, ENABLE if module.name == top else _INNER
    declared = f"    {CLOCK.direction} {CLOCK.declared} {clk},\n"
    comment = f"    // {port.comment}\n" if port.comment else ""
    text = module.text.replace(declared, f"{declared}{comment}    {port.direction} {port.declared} {port.name},\n", 1)
    text = text.replace(_EDGE, f"{_EDGE} if ({port.name})")
    text = _CONNECTED.sub(rf"\g<0>.{port.name}({port.name}),\1", text)
    text = text.replace(f"{{1'b0, {clk}}}", f"{{1'b0, {clk}, {port.name}}}")  # where nothing reads the clock
    place = module.ports.index(CLOCK) + 1
    return Module(
        module.name,
        (*module.ports[:place], port, *module.ports[place:]),
        tuple(map(_connected, module.instances)),
        text,
    )


def _connected(instance: Instance) -> Instance:
    if CLOCK.name not in instance.connections:
        return instance
    return replace(instance, connections={**instance.connections, ENABLE.name: ENABLE.name})
