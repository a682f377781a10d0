"""Puts a core into its AXI wrapper: files, what `build.json` says of them, and a C header."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from difflut.export.backends.verilog import VerilogDesign
from difflut.export.interfaces.axi_stream import emit_wrapper
from difflut.export.interfaces.framing import Layout, Stream, plan_framing
from difflut.export.interfaces.registers import c_header, register_map
from difflut.export.ir import Netlist

CORE_SUFFIX = "_core"
HEADER_FOLDER = "sw"


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A core in its wrapper.

    Attributes:
        rtl: file name -> text, the core's files among them.
        headers: file name -> text of C headers.
        manifest: the entries `core` and `stream` of `build.json`.
    """

    rtl: Mapping[str, str]
    headers: Mapping[str, str]
    manifest: Mapping[str, Any]


def core_digest(files: Mapping[str, str]) -> str:
    """SHA-256 of what `sha256sum` prints for the core's files, in the order of their names.

    `cd DIR && LC_ALL=C sha256sum rtl/NAME_core*.v | sha256sum` prints the same.
    """
    lines = [f"{hashlib.sha256(files[name].encode()).hexdigest()}  rtl/{name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def wrap(design: VerilogDesign, netlist: Netlist, stream: Stream) -> Wrapped:
    """Wrap a core, whose name ends in `CORE_SUFFIX` and whose only result is `stream.output`.

    Raises:
        ConfigError: its frames are too long.
    """
    head = netlist.head
    scores = stream.output == "scores"
    framing = plan_framing(
        stream,
        features=netlist.input.features,
        code_bits=netlist.input.width_bits,
        results=head.classes if scores else 1,
        result_bits=head.score_width_bits if scores else head.class_width_bits,
        core_latency_cycles=design.latency_cycles,
    )
    top, digest = design.top.removesuffix(CORE_SUFFIX), core_digest(design.files)
    registers = register_map(framing, digest, output=stream.output, signed=netlist.input.signed, classes=head.classes)
    files = emit_wrapper(top, design.top, netlist.name, framing, stream.output, registers)
    described = {
        "width_bits": stream.width_bits,
        "output": stream.output,
        "framing": "every number takes whole bytes, low byte first, the first number in the lowest byte of the first beat; "
        "TLAST at the last beat",
        "codes": _describe(framing.codes),
        "results": _describe(framing.results),
        "credits": framing.credits,
        "cycles_per_frame": framing.cycles_per_frame,
        "latency_cycles": framing.latency_cycles,
        "core_digest": digest,
        "registers": [
            {
                "name": register.name,
                "offset": register.offset,
                "access": register.access,
                "value": register.value,
                "meaning": register.meaning,
            }
            for register in registers
        ],
    }
    header = {f"{top}_registers.h": c_header(top, registers)}
    return Wrapped({**design.files, **files}, header, {"core": design.top, "stream": described})


def _describe(layout: Layout) -> dict[str, int]:
    return {
        "count": layout.count,
        "value_bits": layout.value_bits,
        "value_bytes": layout.value_bytes,
        "beats": layout.beats,
    }
