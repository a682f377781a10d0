"""Reads the wrapper of a core with Yosys, and finds what its proof cannot take: ports, clocks, drivers, hidden text.

Everything that a solver would not see, or would see otherwise than hardware, is found here: a solver knows no clock
edges, takes two drivers of a net as a contradiction, from which everything follows, and never sees text behind a
directive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from difflut.export.errors import ToolError
from difflut.export.proof.cells import WORD_CELLS
from difflut.export.proof.harness import Wrapper, core_stub
from difflut.export.proof.ports import Port, check_ports
from difflut.export.proof.yosys import run_script
from difflut.files import scratch
from difflut.quoting import yosys

RESET = "aresetn"
CLOCK = "aclk"
_COMBINATIONAL = {*WORD_CELLS, "$pmux", "$shl", "$shr", "$shift", "$shiftx", "$neg", "$xnor", "$scopeinfo"}
# No macro can be used that was not defined here, but those that a tool defines itself.
_DIRECTIVE = re.compile(
    r"`(?:ifn?def|elsif|else|endif|define|undef\w*|include|unconnected_drive|SYNTHESIS|YOSYS|FORMAL)\b"
)
_HIDDEN = re.compile(r"translate_o(?:n|ff)\b|full_case\b|parallel_case\b|\(\*(?!\s*\))")
_WARNING = re.compile(
    r"^Warning: (.*(?:Resizing cell port|[Cc]onflicting|[Ll]ogic loop|has no driver|found in module).*)$"
)


@dataclass(frozen=True)
class WrapperCircuit:
    """A wrapper as Yosys read it, flat, without the core, whose ports are ports of it.

    Attributes:
        rtlil: the circuit, in Yosys' own language.
        instance: the name of the core in it; the ports are named `instance.port`.
        problems: what a proof cannot take, in words; with any there is nothing to prove.
    """

    rtlil: str
    instance: str
    problems: tuple[str, ...]


def read_wrapper(files: Mapping[str, str], wrapper: Wrapper) -> WrapperCircuit:
    """Read the files of a wrapper.

    Args:
        files: file name -> text, of the wrapper alone.
        wrapper: what it must be.

    Raises:
        ToolError: Yosys refuses the text.
    """
    hidden = [problem for name, text in sorted(files.items()) for problem in _hidden(name, text)]
    if hidden:
        return WrapperCircuit("", "", tuple(hidden))
    with scratch("wrapper") as folder:
        texts = [*(files[file] for file in sorted(files)), core_stub(wrapper)]
        read = []
        for number, text in enumerate(texts):
            (folder / f"source{number}.v").write_text(text, encoding="utf-8")
            read.append(yosys("read_verilog", f"source{number}.v"))
        status, printed = run_script([*read, *_script(wrapper)], folder)
        if status != 0:
            errors = [line for line in printed if line.startswith("ERROR")] or printed[-4:]
            shown = "\n".join(f"  | {line}" for line in errors)
            raise ToolError(f"Yosys cannot read the wrapper's Verilog; export again, or report it:\n{shown}")
        module = json.loads((folder / "flat.json").read_text(encoding="utf-8"))["modules"][wrapper.top]
        rtlil = (folder / "flat.il").read_text(encoding="utf-8")
    cores = [name for name, cell in module["cells"].items() if cell["type"] == wrapper.core]
    warnings = dict.fromkeys(found[1] for line in printed if (found := _WARNING.match(line)))
    problems = [*_port_problems(module, wrapper), *warnings, *_cell_problems(module, wrapper.core)]
    if len(cores) != 1:
        problems.append(f"{wrapper.top} has {len(cores)} cells of type {wrapper.core}; expected one")
    return WrapperCircuit(rtlil, cores[0] if len(cores) == 1 else "", tuple(problems))


def _script(wrapper: Wrapper) -> Sequence[str]:
    """Flatten; undefined values become free ones, and initial values are not relied on."""
    return (
        yosys("hierarchy -check -top", wrapper.top),
        "proc -norom",  # constants are logic, no memory with initial values
        "check",
        "flatten",
        "check",
        "memory",
        "opt_clean",
        "write_json flat.json",
        "setattr -unset init w:*",
        "setundef -undriven -anyseq",
        yosys("expose -evert", f"t:{wrapper.core}"),
        "write_rtlil flat.il",
    )


def _hidden(name: str, text: str) -> Iterator[str]:
    """Text that not every tool reads alike."""
    for pattern in (_DIRECTIVE, _HIDDEN):
        for found in pattern.finditer(text):
            yield f"{name} has {found[0]!r}, which tools do not read alike"


def _port_problems(module: Mapping[str, Any], wrapper: Wrapper) -> list[str]:
    ports = {name: Port(port["direction"], len(port["bits"])) for name, port in module["ports"].items()}
    return check_ports(ports, wrapper.ports())


def _cell_problems(module: Mapping[str, Any], core: str) -> Iterator[str]:
    """Whatever is no register of the rising clock edge, no combinational cell and not the core."""
    clock = module["ports"].get(CLOCK, {"bits": [None]})["bits"]
    for name, cell in module["cells"].items():
        kind, connections = cell["type"], cell["connections"]
        where = _named(module, connections.get("Q", connections.get("Y", []))) or name
        if kind == "$dff":
            if int(cell["parameters"]["CLK_POLARITY"], 2) != 1:
                yield f"register {where} takes over at the falling edge"
            if connections["CLK"] != clock:
                yield f"register {where} is not clocked by {CLOCK}"
            connections = {port: bits for port, bits in connections.items() if port != "CLK"}
        elif kind == core:
            if connections.get("clk") != clock:
                yield f"the clock of {core} is not {CLOCK}"
            connections = {port: bits for port, bits in connections.items() if port != "clk"}
        elif kind not in _COMBINATIONAL:
            yield (
                f"{where} is a cell of type {kind}; expected combinational logic, and registers of the rising edge of "
                f"{CLOCK} with a synchronous reset"
            )
        if any(clock[0] in bits for bits in connections.values()):
            yield f"{where} reads {CLOCK} as data"


def _named(module: Mapping[str, Any], bits: Sequence[Any]) -> str:
    """The name in the text of a net that has these bits."""
    names = (
        name
        for name, net in module["netnames"].items()
        if not net["hide_name"] and set(net["bits"]) & {*bits} - {"0", "1", "x"}
    )
    return min(names, key=lambda name: (len(name), name), default="")
