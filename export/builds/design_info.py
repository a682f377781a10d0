"""`verify/design.json`: the hierarchy that was emitted, for later steps to read instead of parsing Verilog again."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from difflut.export.builds.info import Cycles, Identifier, Path, PortBits, Record
from difflut.export.builds.values import one_line
from difflut.export.errors import BundleError
from difflut.export.verilog.design import Design, Probe

DESIGN_FILE = "verify/design.json"


class PortInfo(Record, frozen=True):
    """A port of a module."""

    name: Identifier
    direction: Literal["input", "output"]
    width_bits: PortBits


class ModuleInfo(Record, frozen=True):
    """A module of the core: its ports, and its instances of other modules of the core, name -> module."""

    name: Identifier
    ports: tuple[PortInfo, ...]
    instances: dict[Identifier, Identifier]


class ProbeInfo(Record, frozen=True):
    """An RTL signal that carries nets of the netlist, bit 0 first; see `difflut.export.verilog.design.Probe`."""

    signal: Path
    stage_cycles: Cycles
    nets: tuple[Annotated[int, Meta(ge=0, lt=1 << 31)], ...]


class DesignInfo(Record, frozen=True):
    """The modules of the core, the top first, and the signals that show comparators and LUTs."""

    modules: tuple[ModuleInfo, ...]
    probes: tuple[ProbeInfo, ...]

    def module(self, name: str) -> ModuleInfo:
        """The module of a name.

        Raises:
            BundleError: there is none.
        """
        for module in self.modules:
            if module.name == name:
                return module
        raise BundleError(f"{DESIGN_FILE}: has no module {name}; export again")

    @property
    def found_probes(self) -> tuple[Probe, ...]:
        """The probes with their nets as arrays."""
        return tuple(Probe(probe.signal, np.array(probe.nets, np.int32), probe.stage_cycles) for probe in self.probes)


def to_bytes(design: Design) -> bytes:
    """The file; the same design gives the same bytes."""
    modules = sorted(design.modules, key=lambda module: (module.name != design.top, module.name))
    info = DesignInfo(
        modules=tuple(
            ModuleInfo(
                name=module.name,
                ports=tuple(
                    PortInfo(name=port.name, direction=port.direction, width_bits=port.width_bits)
                    for port in module.ports
                ),
                instances={instance.name: instance.module for instance in module.instances},
            )
            for module in modules
        ),
        probes=tuple(
            ProbeInfo(signal=probe.signal, stage_cycles=probe.stage_cycles, nets=tuple(probe.nets.tolist()))
            for probe in design.probes
        ),
    )
    return msgspec.json.encode(info) + b"\n"


def from_bytes(content: bytes) -> DesignInfo:
    """Read the file.

    Raises:
        BundleError: it is no description of a design; says where.
    """
    try:
        return msgspec.json.decode(content, type=DesignInfo)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        name = PurePosixPath(DESIGN_FILE).name
        raise BundleError(f"{name}: cannot be read: {one_line(error)}; export again") from error
