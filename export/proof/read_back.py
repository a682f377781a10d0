"""Reads emitted Verilog back with Yosys: the text is the only description of the RTL that a proof uses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from difflut.export.errors import ToolError
from difflut.export.proof.cells import WORD_CELLS
from difflut.export.proof.circuit import MEMORY, Circuit
from difflut.export.proof.errors import ProofError
from difflut.export.proof.yosys import require_yosys, run_script
from difflut.files import scratch
from difflut.hdl_templates import render
from difflut.quoting import yosys

_PRIMITIVES = re.compile(r"\b(LUT[1-6]|LUT6_2|CARRY4|CARRY8|MUXF[789]|FD[RSCP]E)\s*(#|[A-Za-z_]\w*\s*\()")
# Texts that Yosys and other tools read differently: conditional compilation, macros, and comments with a meaning.
_SKIPPED = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|\\\S+', re.DOTALL)  # strings, comments, escaped names
_DIRECTIVE = re.compile(r"`\s*(?!(?:timescale|default_nettype|resetall)\b)\w+")
_PRAGMA = re.compile(r"\b(?:translate_off|translate_on|full_case|parallel_case)\b")
_CONFLICT = re.compile(r"multiple conflicting drivers for (\S+?):?$|(Drivers conflicting with a constant)")
_KNOWN = [*WORD_CELLS, "$dff", "$scopeinfo", MEMORY]
_SHOWN_LINES = 8


def read_back(sources: Mapping[str, str], top: str) -> Circuit:
    """Parse and flatten a design.

    Args:
        sources: file name -> Verilog text, without simulation models: Xilinx primitives are taken from Yosys itself.
        top: the name of the top module.

    Raises:
        ToolError: Yosys is missing or refuses the text.
        ProofError: the design is not a synchronous circuit of one clock.
    """
    (design,) = _read(sources, top, [["flatten", *_simplified(), "write_json design0.json"]])
    return Circuit.from_json(design, top)


def read_modules(sources: Mapping[str, str], top: str, flat: Sequence[str] = ()) -> dict[str, Circuit]:
    """Parse a design; each of its modules as a circuit in which those inside of it are instances.

    Args:
        sources, top: as for `read_back`.
        flat: modules of the design that are flattened; what is inside of them has no circuit of its own.

    Raises:
        ToolError, ProofError: as for `read_back`.
    """
    steps = [["memory_collect", *_simplified(), "write_json design0.json"]]
    for number, module in enumerate(flat, 1):
        hierarchy = yosys("hierarchy -check -top", module)
        steps.append([hierarchy, "flatten", *_simplified(), f"write_json design{number}.json"])
    structure, *flattened = _read(sources, top, steps)
    inner = {name for design, module in zip(flattened, flat, strict=True) for name in _inside(structure, module)}
    result = {
        name: Circuit.from_json(structure, name, keep_modules=True)
        for name in _inside(structure, top)
        if name not in inner
    }
    return result | {name: Circuit.from_json(design, name) for name, design in zip(flat, flattened, strict=True)}


def _inside(design: Mapping[str, Any], top: str) -> set[str]:
    """A module and those inside of it, except through those of Yosys' own library."""
    modules, found, todo = design["modules"], set(), [top]
    while todo:
        name = todo.pop()
        if name in modules and name not in found:
            found.add(name)
            todo += [cell["type"] for cell in modules[name]["cells"].values()]
    return found


def _simplified() -> list[str]:
    """Commands that leave known cells and instances."""
    known = " ".join(f"t:{kind} %d" for kind in _KNOWN)
    # What one round makes of a cell may need another.
    return [*[f"techmap t:* {known}"] * 3, "opt_clean"]


def _read(sources: Mapping[str, str], top: str, steps: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Parse a design once; for each of `steps` what its commands wrote, design<number>.json."""
    require_yosys()
    for file, text in sources.items():
        _check_text(file, text)
    with scratch("prove") as folder:
        files = []
        for number, (_, text) in enumerate(sorted(sources.items())):
            (folder / f"source{number}.v").write_text(text, encoding="utf-8")
            files.append(f"source{number}.v")
        if any(_PRIMITIVES.search(text) for text in sources.values()):
            files.append("+/xilinx/cells_sim.v")
        (folder / "lut_map.v").write_text(render("yosys_lut_map.v.j2", {}), encoding="ascii")
        script = [*(yosys("read_verilog", file) for file in files), yosys("hierarchy -check -top", top), "proc"]
        script += ["techmap -map lut_map.v t:$shiftx", "check"]
        script += ["design -save read"] if len(steps) > 1 else []
        for number, commands in enumerate(steps):
            script += [*(["design -load read"] if number else []), *commands]
        printed = _run_yosys(script, folder, len(steps))
        _check_drivers(printed)
        return [json.loads((folder / f"design{number}.json").read_bytes()) for number in range(len(steps))]


def _check_text(file: str, text: str) -> None:
    """Raise ProofError if tools may read different circuits from a text."""
    found = _DIRECTIVE.search(_SKIPPED.sub(" ", text)) or _PRAGMA.search(text)
    if found is not None:
        raise ProofError(f"{file} contains {found[0]!r}, with which Yosys may read another circuit than other tools")


def _check_drivers(printed: Sequence[str]) -> None:
    """Raise ProofError if Yosys reported a signal that is driven twice, of which it keeps one driver."""
    for line in printed:
        found = _CONFLICT.search(line)
        if found is not None:
            raise ProofError(f"a signal has several drivers ({line.removeprefix('Warning: ').rstrip(':')})")


def _run_yosys(script: list[str], folder: Path, written: int) -> list[str]:
    status, printed = run_script(script, folder)
    if status != 0 or not (folder / f"design{written - 1}.json").is_file():
        errors = [line for line in printed if line.startswith("ERROR") or ": ERROR: " in line]
        if any("is driving constant bits" in line for line in errors):
            raise ProofError(f"a signal has several drivers ({errors[0].removeprefix('ERROR: ')})")
        shown = "\n".join(f"  | {line}" for line in errors or printed[-_SHOWN_LINES:]) or "  (it printed nothing)"
        raise ToolError(f"Yosys cannot read the emitted Verilog; export again, or report it:\n{shown}")
    return printed
