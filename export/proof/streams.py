"""Proofs of an AXI wrapper, by induction, with Yosys' own SAT solver: handshakes, frames, and that results are kept.

The properties are appended to the modules as they were emitted (`hdl_templates/*_properties.v.j2`); a core that may answer
anything, as late as the real one, takes the place of the core, which is proved apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from difflut.export.errors import ToolError
from difflut.export.interfaces.axi_stream import emit_for_proof
from difflut.export.interfaces.framing import framing_of
from difflut.export.interfaces.registers import Register
from difflut.export.proof.report import OPEN, PROVED, REFUTED, Claim
from difflut.export.proof.yosys import require_yosys, run_script
from difflut.files import scratch
from difflut.quoting import yosys

MOST_STEPS = 4
STATEMENTS = {
    "streams": "around a core that answers in time, offers stay until taken, none after a reset; frames with a misplaced TLAST are dropped, each other one has "
    "exactly one result, in order, whole; every AXI4-Lite transfer has one answer",
    "frames": "the codes that enter the core are those of the frame that was taken",
}


def registers_of(manifest: Mapping[str, Any]) -> tuple[Register, ...]:
    """The register map that a `build.json` states."""
    return tuple(
        Register(
            register["name"],
            register["offset"],
            register["meaning"],
            register["value"],
            signal=register["name"].lower() if register["value"] is None else "",
            writable=register["access"] == "write",
        )
        for register in manifest["stream"]["registers"]
    )


def prove_streams(files: Mapping[str, str], manifest: Mapping[str, Any]) -> list[Claim]:
    """Prove the wrapper of a build.

    Args:
        files: file name -> text of the RTL.
        manifest: its `build.json`.

    Raises:
        ToolError: pyosys is missing, or Yosys refuses the text.
    """
    top, core = manifest["name"], manifest["core"]
    sources = emit_for_proof(
        top, core, framing_of(manifest), manifest["stream"]["output"], registers_of(manifest), files
    )
    whole = {name: text if name != f"{top}_frames.v" else files[name] for name, text in sources.items()}
    frames = {name: sources[name] for name in (f"{top}_frames.v",)}
    return [induction("streams", whole, top), induction("frames", frames, f"{top}_frames")]


def induction(subject: str, sources: Mapping[str, str], top: str, most_steps: int = MOST_STEPS) -> Claim:
    """Prove all assertions in a design by induction over at most `most_steps` cycles.

    Raises:
        ToolError: Yosys refuses the text or ends without a result.
    """
    require_yosys()
    statement = STATEMENTS.get(subject, "all assertions hold")
    output = _run(sources, top, most_steps)
    steps = sum(line.startswith("** Trying induction with length") for line in output)
    if any("Induction step proven: SUCCESS!" in line for line in output):
        return Claim(subject, statement, PROVED, f"by induction over {steps} cycle{'s' if steps > 1 else ''}")
    if any("Base case failed" in line or "model found for base case: FAIL!" in line for line in output):
        return Claim(subject, statement, REFUTED, f"within {steps} cycles of the first reset")
    if any("Reached maximum number of time steps" in line for line in output):
        return Claim(subject, statement, OPEN, f"holds for {steps} cycles; induction needs more")
    shown = "\n".join(f"  | {line}" for line in output if line.startswith("ERROR")) or "  (no error message)"
    raise ToolError(f"Yosys ended without a result for {subject}; report it:\n{shown}")


def _run(sources: Mapping[str, str], top: str, most_steps: int) -> list[str]:
    with scratch("streams") as folder:
        files: Sequence[str] = [f"source{number}.v" for number in range(len(sources))]
        for file, text in zip(files, sources.values(), strict=True):
            (folder / file).write_text(text, encoding="utf-8")
        script = [
            *(yosys("read_verilog -formal", file) for file in files),
            yosys("hierarchy -check -top", top),
            "proc",
            "flatten",
            "memory",
            "async2sync",
            "chformal -lower",
            "opt_clean",
            yosys("sat -tempinduct -prove-asserts -set-assumes -seq 1 -maxsteps", str(most_steps), top),
        ]
        return run_script(script, folder)[1]
