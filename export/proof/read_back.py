"""Reads emitted Verilog back with Yosys: the text is the only description of the RTL that a proof uses.

Yosys runs in a process of its own, because an error in it ends the process.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from difflut.export.errors import ToolError
from difflut.export.proof.cells import WORD_CELLS
from difflut.export.proof.circuit import Circuit
from difflut.hdl_templates import render

_PRIMITIVES = re.compile(r"\b(LUT[1-6]|LUT6_2|CARRY4|CARRY8|MUXF[789]|FD[RSCP]E)\s*(#|[A-Za-z_]\w*\s*\()")
_SHOWN_LINES = 8
_RUN = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


def require_yosys() -> Path:
    """The folder of the Python package pyosys.

    Raises:
        ToolError: it is not installed.
    """
    spec = importlib.util.find_spec("pyosys")
    for location in (spec.submodule_search_locations or []) if spec else []:
        return Path(location)
    raise ToolError("pyosys is missing; proofs read the RTL back with Yosys. Install it: pip install 'difflut[prove]'")


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
    with tempfile.TemporaryDirectory(prefix="difflut-prove-") as name:
        folder = Path(name)
        files = []
        for number, (_, text) in enumerate(sorted(sources.items())):
            (folder / f"source{number}.v").write_text(text, encoding="utf-8")
            files.append(f"source{number}.v")
        if any(_PRIMITIVES.search(text) for text in sources.values()):
            files.append(_primitives(package, folder))
        (folder / "lut_map.v").write_text(render("yosys_lut_map.v.j2", {}), encoding="ascii")
        known = " ".join(f"t:{kind} %d" for kind in [*WORD_CELLS, "$dff", "$scopeinfo"])
        script = [
            *(f"read_verilog {file}" for file in files),
            f"hierarchy -check -top {top}",
            "proc",
            "techmap -map lut_map.v t:$shiftx",
            "flatten",
            f"techmap t:* {known}",
            "opt_clean",
            "write_json design.json",
        ]
        (folder / "script.ys").write_text("\n".join(script) + "\n", encoding="ascii")
        _run_yosys(folder)
        return Circuit.from_json(json.loads((folder / "design.json").read_text(encoding="utf-8")), top)


def _primitives(package: Path, folder: Path) -> str:
    """The file with what Xilinx primitives do: Yosys' own, or ours where the package lacks it."""
    theirs = package / "share" / "xilinx" / "cells_sim.v"
    text = theirs.read_text(encoding="utf-8") if theirs.is_file() else render("xilinx_models.v.j2", {})
    (folder / "primitives.v").write_text(text, encoding="utf-8")
    return "primitives.v"


def _run_yosys(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _RUN, "script.ys"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0 or not (folder / "design.json").is_file():
        output = (result.stdout + result.stderr).strip().splitlines()
        errors = [line for line in output if line.startswith("ERROR")]
        shown = "\n".join(f"  | {line}" for line in errors or output[-_SHOWN_LINES:]) or "  (it printed nothing)"
        raise ToolError(f"Yosys cannot read the emitted Verilog; export again, or report it:\n{shown}")
