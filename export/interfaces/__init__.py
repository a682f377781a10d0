"""Interfaces: what surrounds the core, so that a design can be connected as it is.

`Plain` is the core itself. `AxiStream` puts an AXI4-Stream on either side of it and an AXI4-Lite register block beside
it.
"""
