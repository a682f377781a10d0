"""The CAPI2 core file of a build: with it FuseSoC users take the circuit as a dependency."""

from __future__ import annotations

from collections.abc import Sequence

from difflut.export.families.family import Family
from difflut.hdl_templates import render


def core_name(name: str) -> str:
    """The file's name."""
    return f"{name}.core"


def core_file(
    name: str, *, version: str, description: str, family: Family, sources: Sequence[str], models: Sequence[str] = ()
) -> str:
    """The text of the core file.

    Args:
        name: the top module, and the core's name.
        version: of difflut.
        description: one line.
        family: the FPGA family; for one that FuseSoC has no tool for there is no target `synth`.
        sources: the RTL, relative to the file.
        models: simulation models of primitives, left out of synthesis.
    """
    synthesis = family.fusesoc
    return render(
        "fusesoc.core.j2",
        {
            "name": name,
            "version": version,
            "description": description,
            "sources": list(sources),
            "models": list(models),
            "tool": synthesis.tool if synthesis else "",
            "options": list(synthesis.options) if synthesis else [],
        },
    )
