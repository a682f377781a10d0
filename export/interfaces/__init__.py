"""Interfaces: what surrounds the core, so that a design can be connected as it is.

`plain` is the core itself. `axi-stream` puts an AXI4-Stream on either side of it and an AXI4-Lite register block beside it.
`pack_samples` and `unpack_results` make and read the frames of these streams.
"""

from __future__ import annotations

from difflut.export.interfaces.framing import frame_order, pack_samples, unpack_results

PLAIN = "plain"
AXI_STREAM = "axi-stream"
INTERFACES = (PLAIN, AXI_STREAM)

__all__ = ["AXI_STREAM", "INTERFACES", "PLAIN", "frame_order", "pack_samples", "unpack_results"]
