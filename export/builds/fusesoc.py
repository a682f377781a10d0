"""The CAPI2 core file of a build: with it FuseSoC users take the circuit as a dependency."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from difflut._version import __version__
from difflut.export.families.family import Family
from difflut.hdl_templates import render

VENDOR, LIBRARY = "difflut", "generated"


def core_name(name: str) -> str:
    """The file's name."""
    return f"{name}.core"


def core_version(digests: Mapping[str, str]) -> str:
    """The version of the core of a build: difflut's release and, as a number, 64 bits of a digest of all other files.

    FuseSoC takes two cores of one name and version for the same, and uses one of them. Its ranges (`^`, `~`) need
    numbers.

    Args:
        digests: SHA-256 of each file, by its path.
    """
    release = ".".join(__version__.split(".")[:3])
    lines = [f"{digests[name]}  {name}\n" for name in sorted(digests)]
    return f"{release}.{int(hashlib.sha256(''.join(lines).encode()).hexdigest()[:16], 16)}"


def vlnv(name: str, version: str) -> str:
    """How FuseSoC names a core: vendor, library, name, version."""
    return f"{VENDOR}:{LIBRARY}:{name}:{version}"


def core_file(
    name: str, *, version: str, description: str, family: Family, sources: Sequence[str], models: Sequence[str] = ()
) -> str:
    """The text of the core file.

    Args:
        name: the top module, and the core's name.
        version: as `core_version` gives it.
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
            "vlnv": vlnv(name, version),
            "description": description,
            "sources": list(sources),
            "models": list(models),
            "tool": synthesis.tool if synthesis else "",
            "options": list(synthesis.options) if synthesis else [],
        },
    )
