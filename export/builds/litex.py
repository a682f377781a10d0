"""The LiteX modules of a build with AXI4-Streams: Python that puts the circuit into a system on a chip."""

from __future__ import annotations

from collections.abc import Sequence

from difflut.export.builds.frames import streams_of
from difflut.export.builds.info import BuildInfo
from difflut.export.interfaces.registers import ADDRESS_BITS
from difflut.hdl_templates import render


def modules(info: BuildInfo, sources: Sequence[str]) -> str:
    """The text of the Python module, which needs litex and migen and nothing of difflut.

    It has names, which are identifiers, and numbers of the build; nothing else is put into the text.

    Args:
        info: `build.json`.
        sources: the names of the files in `rtl/`.

    Raises:
        ConfigError: the build has the plain interface.
    """
    streams = streams_of(info)
    return render(
        "litex_module.py.j2",
        {
            "name": info.name,
            "sources": sources,
            "width_bits": streams.width_bits,
            "codes": streams.codes,
            "results": streams.results,
            "registers": streams.registers,
            "address_bits": ADDRESS_BITS,
        },
    )
