"""The CAPI2 core file of a build: with it FuseSoC users take the circuit as a dependency."""

from __future__ import annotations

from collections.abc import Sequence

from difflut.hdl_templates import render

# FuseSoC's tool that synthesises for an FPGA family, and its options; the part is an example that users override.
_SYNTHESIS: dict[str, tuple[str, tuple[str, ...]]] = {
    "xc7": ("vivado", ("part: xc7a35tcpg236-1", "pnr: none")),
    "xcup": ("vivado", ("part: xcvu9p-flga2104-2-i", "pnr: none")),
    "ice40": ("icestorm", ("pnr: none",)),
    "ecp5": ("trellis", ("nextpnr_options: [--85k, --lpf-allow-unconstrained]",)),
}


def core_name(name: str) -> str:
    """The file's name."""
    return f"{name}.core"


def core_file(
    name: str, *, version: str, description: str, fpga: str, sources: Sequence[str], models: Sequence[str] = ()
) -> str:
    """The text of the core file.

    Args:
        name: the top module, and the core's name.
        version: of difflut.
        description: one line.
        fpga: the FPGA family; for one that FuseSoC has no tool for there is no target `synth`.
        sources: the RTL, relative to the file.
        models: simulation models of primitives, left out of synthesis.
    """
    tool, options = _SYNTHESIS.get(fpga, ("", ()))
    return render(
        "fusesoc.core.j2",
        {
            "name": name,
            "version": version,
            "description": description,
            "sources": list(sources),
            "models": list(models),
            "tool": tool,
            "options": list(options),
        },
    )
