"""The PYNQ driver of a build with AXI4-Streams: Python for a board, which sends samples through a DMA."""

from __future__ import annotations

from difflut.export.builds.frames import streams_of
from difflut.export.builds.info import BuildInfo
from difflut.export.interfaces.registers import CONTROL
from difflut.hdl_templates import render


def driver(info: BuildInfo) -> str:
    """The text of the module, which needs numpy and pynq and nothing of difflut.

    It has names, which are identifiers, and numbers of the build; nothing else is put into the text.

    Raises:
        ConfigError: the build has the plain interface.
    """
    streams, form, output = streams_of(info), info.input.format, info.output
    divisors, offsets = ([float(value) for value in part] for part in form.scaling)
    controls = [register.offset for register in streams.registers if register.name == CONTROL]
    return render(
        "pynq_driver.py.j2",
        {
            "name": info.name,
            "width_bits": streams.width_bits,
            "codes": streams.codes,
            "results": streams.results,
            "output": streams.output,
            "lowest": form.lowest,
            "highest": form.highest,
            "divisors": divisors,
            "offsets": offsets,
            "pixels": info.schedule.pixels,
            "registers": streams.registers,
            "counters": bool(controls),
            "control": controls[0] if controls else 0,
            # One decision between as many classes as there are scores, or its class itself.
            "classes": len(output.heads) == 1
            and output.heads[0].kind == "classes"
            and (streams.output == "class" or output.heads[0].results == streams.results.count),
        },
    )
