"""Reads emitted Verilog back with Yosys: the text is the only description of the RTL that a proof uses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from difflut.export.errors import ToolError
from difflut.export.proof.cells import WORD_CELLS
from difflut.export.proof.circuit import Circuit
from difflut.export.proof.yosys import require_yosys, run_script
from difflut.files import scratch
from difflut.hdl_templates import render
from difflut.quoting import yosys

_PRIMITIVES = re.compile(r"\b(LUT[1-6]|LUT6_2|CARRY4|CARRY8|MUXF[789]|FD[RSCP]E)\s*(#|[A-Za-z_]\w*\s*\()")
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
    package = require_yosys()
    with scratch("prove") as folder:
        files = []
        for number, (_, text) in enumerate(sorted(sources.items())):
            (folder / f"source{number}.v").write_text(text, encoding="utf-8")
            files.append(f"source{number}.v")
        if any(_PRIMITIVES.search(text) for text in sources.values()):
            files.append(_primitives(package, folder))
        (folder / "lut_map.v").write_text(render("yosys_lut_map.v.j2", {}), encoding="ascii")
        known = " ".join(f"t:{kind} %d" for kind in [*WORD_CELLS, "$dff", "$scopeinfo"])
        script = [
            *(yosys("read_verilog", file) for file in files),
            yosys("hierarchy -check -top", top),
            "proc",
            "techmap -map lut_map.v t:$shiftx",
            "flatten",
            *[f"techmap t:* {known}"] * 3,  # what one round makes of a cell may need another
            "opt_clean",
            "write_json design.json",
        ]
        _run_yosys(script, folder)
        return Circuit.from_json(json.loads((folder / "design.json").read_text(encoding="utf-8")), top)


def _primitives(package: Path, folder: Path) -> str:
    """The file with what Xilinx primitives do: Yosys' own, or ours where the package lacks it."""
    theirs = package / "share" / "xilinx" / "cells_sim.v"
    text = theirs.read_text(encoding="utf-8") if theirs.is_file() else render("xilinx_models.v.j2", {})
    (folder / "primitives.v").write_text(text, encoding="utf-8")
    return "primitives.v"


def _run_yosys(script: list[str], folder: Path) -> None:
    status, printed = run_script(script, folder)
    if status != 0 or not (folder / "design.json").is_file():
        errors = [line for line in printed if line.startswith("ERROR")]
        shown = "\n".join(f"  | {line}" for line in errors or printed[-_SHOWN_LINES:]) or "  (it printed nothing)"
        raise ToolError(f"Yosys cannot read the emitted Verilog; export again, or report it:\n{shown}")
