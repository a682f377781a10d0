"""Proofs of an AXI wrapper, by induction, with Yosys' own SAT solver: from the ports of the wrapper to those of the
core.

The wrapper is read as it was emitted and put into a harness (`harness.py`), in which a core that may answer anything
takes the place of the core, which is proved apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from difflut.export.builds.frames import framing_of, registers_of, streams_of
from difflut.export.builds.info import BuildInfo
from difflut.export.errors import ToolError
from difflut.export.proof.harness import MODULE, Wrapper, harness
from difflut.export.proof.report import OPEN, PROVED, REFUTED, Claim
from difflut.export.proof.wrapper_circuit import read_wrapper
from difflut.export.proof.yosys import require_yosys, run_script
from difflut.files import scratch
from difflut.quoting import yosys

MOST_STEPS = 3
MOST_PROBLEMS = 3
PARTS = ("", "_frames", "_results", "_registers")
STATEMENTS = {
    "wrapper": "the ports are those of build.json's streams; every register takes over at the rising edge of aclk and "
    "is reset synchronously; no net has two drivers",
    "streams": "handshakes, cycle by cycle, around a core that answers in time: who is ready when, offers stay until "
    "taken, none after a reset; frames with a misplaced TLAST are dropped, each other one enters the core once and "
    "has one result",
    "frames": "the codes that enter the core are those of the frame that was taken, from s_axis_tdata to in_codes",
    "results": "each result is given once, in order, from the core's outputs to m_axis_tdata",
    "registers": "every AXI4-Lite transfer has one answer, cycle by cycle; every register, counters and measured "
    "latency included, reads what it must",
    "timing": "without stalls a result comes axi_stream.latency_cycles after its frame, frames follow each other every "
    "axi_stream.cycles_per_frame cycles",
}


def wrapper_of(info: BuildInfo) -> Wrapper:
    """The wrapper that a `build.json` states."""
    return Wrapper(info.name, info.core, framing_of(info), streams_of(info).output, registers_of(info))


def prove_axi(files: Mapping[str, str], info: BuildInfo) -> list[Claim]:
    """Prove the wrapper of a build.

    Args:
        files: file name -> text of the RTL.
        info: its `build.json`.

    Raises:
        ToolError: pyosys is missing, or Yosys refuses the text.
    """
    return list(prove_wrapper(files, wrapper_of(info)))


def prove_wrapper(files: Mapping[str, str], wrapper: Wrapper, parts: Sequence[str] | None = None) -> Iterator[Claim]:
    """Prove, claim by claim, that a wrapper is what it must be.

    Args:
        files: file name -> text; files that are not its own are left out.
        wrapper: what it must be.
        parts: which of `wrapper.parts` to prove; None for all.

    Raises:
        ToolError: pyosys is missing, or Yosys refuses the text.
    """
    require_yosys()
    own = [f"{wrapper.top}{part}.v" for part in PARTS if wrapper.registers or part != "_registers"]
    missing = [name for name in own if name not in files]
    if missing:
        yield Claim("wrapper", STATEMENTS["wrapper"], REFUTED, f"there is no {', '.join(missing)}")
        return
    circuit = read_wrapper({name: files[name] for name in own}, wrapper)
    if circuit.problems:
        yield Claim("wrapper", STATEMENTS["wrapper"], REFUTED, "; ".join(circuit.problems[:MOST_PROBLEMS]))
        return
    yield Claim("wrapper", STATEMENTS["wrapper"], PROVED, "by reading them")
    for part in wrapper.parts if parts is None else parts:
        text, asserted = harness(wrapper, circuit.instance, part)
        yield induction(part, circuit.rtlil, text, MODULE, asserted)


def induction(subject: str, circuit: str, text: str, top: str, asserted: int, most_steps: int = MOST_STEPS) -> Claim:
    """Prove all assertions in a design by induction over at most `most_steps` cycles.

    Args:
        subject: what the claim is about.
        circuit: modules in Yosys' own language; may be empty.
        text: Verilog with the assertions.
        top: the top module.
        asserted: how many assertions the design must have.
        most_steps: over how many cycles at most.

    Raises:
        ToolError: Yosys refuses the text, has another number of assertions, or ends without a result.
    """
    require_yosys()
    statement = STATEMENTS.get(subject, "all assertions hold")
    output = _run(circuit, text, top, asserted, most_steps)
    steps = sum(line.startswith("** Trying induction with length") for line in output)
    if any("Induction step proven: SUCCESS!" in line for line in output):
        return Claim(subject, statement, PROVED, f"by induction over {steps} cycle{'s' if steps > 1 else ''}")
    if any("Base case failed" in line or "model found for base case: FAIL!" in line for line in output):
        return Claim(subject, statement, REFUTED, f"within {steps} cycles of the first reset")
    if any("Reached maximum number of time steps" in line for line in output):
        return Claim(subject, statement, OPEN, f"holds for {steps} cycles; induction needs more")
    shown = "\n".join(f"  | {line}" for line in output if line.startswith("ERROR")) or "  (no error message)"
    raise ToolError(f"Yosys ended without a result for {subject}; report it:\n{shown}")


def _run(circuit: str, text: str, top: str, asserted: int, most_steps: int) -> list[str]:
    if asserted < 1:
        raise ToolError(f"{top} has no assertions: there is nothing to prove; report it")
    with scratch("streams") as folder:
        (folder / "circuit.il").write_text(circuit, encoding="utf-8")
        (folder / "harness.v").write_text(text, encoding="utf-8")
        script = [
            "read_rtlil circuit.il",
            "read_verilog -formal harness.v",
            yosys("hierarchy -check -top", top),
            "proc",
            "flatten",
            "chformal -lower",
            "opt_clean",
            f"select -assert-count {asserted} t:$assert",
            # Assumptions that contradict each other would prove anything; the last one is about the first two cycles.
            yosys("sat -verify -set-assumes -seq 2", top),
            yosys("sat -tempinduct -prove-asserts -set-assumes -seq 1 -maxsteps", str(most_steps), top),
        ]
        return run_script(script, folder)[1]
