"""What follows a synthesis by Yosys: its netlist as plain Verilog for any simulator, and a proof for small ones.

The netlist is read back from the Verilog that the synthesis wrote, with Yosys' own simulation models of the family's
cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from difflut.export.families.family import Family
from difflut.export.flows.yosys import Yosys, copy_sources
from difflut.files import write_atomically
from difflut.quoting import yosys
from difflut.sim.process import ToolFailure, clean_environment, run_logged

NETLIST = "flat.v"
SIMULATED = "simulated.v"
_STATUS = re.compile(r"Of those cells (\d+) are proven and (\d+) are unproven")


def write_simulated(tool: Yosys, top: str, family: Family, folder: Path) -> Path:
    """Write `simulated.v`: the netlist `flat.v` of a synthesis with the models of its cells in their places.

    Raises:
        ToolFailure: Yosys failed, for example because a cell has no model.
    """
    lines = [*_read_gate(top, family), "opt_clean -purge", yosys("write_verilog -noattr", SIMULATED)]
    (folder / SIMULATED).unlink(missing_ok=True)
    command, log = _run(tool, lines, "simulated", folder)
    if not (folder / SIMULATED).is_file():
        raise ToolFailure(f"Yosys ended without an error but did not write {SIMULATED}", command, log)
    return folder / SIMULATED


def prove_netlist(tool: Yosys, top: str, family: Family, folder: Path, sources: Sequence[Path]) -> tuple[int, int]:
    """Try to prove the netlist `flat.v` equal to its RTL by Yosys' equiv_simple and equiv_induct.

    What is proved, for all inputs and by induction over time: once the circuits have agreed in all points compared
    (outputs and registers of the same names) for a few cycles, they never diverge. That they agree at first is what the
    simulation shows.

    Args:
        tool: the Yosys to use.
        top: the top module.
        family: the family of the netlist.
        folder: where `flat.v` is.
        sources: the RTL.

    Returns:
        How many of the points are proved equal, and how many are not; not proved is not wrong.

    Raises:
        ToolFailure: Yosys failed or compared nothing.
    """
    lines = [yosys("read_verilog", source) for source in copy_sources(sources, folder)]
    lines += [yosys("hierarchy -check -top", top), "proc", "flatten", "memory_map", "opt_clean"]
    lines += [yosys("rename", top, "gold"), "design -stash gold"]
    lines += [*_read_gate(top, family), "opt_clean", yosys("rename", top, "gate")]
    lines += ["design -copy-from gold -as gold gold", "equiv_make gold gate equiv", "hierarchy -top equiv", "opt_clean"]
    lines += ["equiv_simple -undef", "equiv_induct -undef", "equiv_status"]
    command, log = _run(tool, lines, "equivalence", folder)
    found = _STATUS.findall(log.read_text(encoding="utf-8", errors="replace"))
    if not found or found[-1] == ("0", "0"):
        raise ToolFailure("Yosys compared no point of netlist and RTL", command, log)
    proved, open_ = found[-1]
    return int(proved), int(open_)


def _read_gate(top: str, family: Family) -> list[str]:
    # Deferred: only the cells that the netlist has are compiled. Others hold memories that take minutes.
    models = [yosys("read_verilog -defer -overwrite", model) for model in family.yosys.models]
    return [yosys("read_verilog", NETLIST), *models, yosys("hierarchy -check -top", top), "proc", "flatten"]


def _run(tool: Yosys, lines: Sequence[str], name: str, folder: Path) -> tuple[list[str], Path]:
    """Run Yosys commands in `folder`; returns the command line and the log."""
    log = folder / f"{name}.log"
    log.unlink(missing_ok=True)
    write_atomically(folder / f"{name}.ys", ("\n".join(lines) + "\n").encode())
    command = [*tool.command, f"{name}.ys"]
    status = run_logged(command, log=log, cwd=folder, environment=clean_environment())
    if status != 0:
        raise ToolFailure(f"Yosys failed with exit status {status}", command, log)
    return command, log
