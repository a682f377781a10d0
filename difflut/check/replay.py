"""Runs a stored counterexample in the simulator: the RTL against the netlist, on one input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from difflut.check.builds import rtl_interface, words_of
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.circuit.simulate import simulate
from difflut.export.proof.build import WORK, load_counterexample
from difflut.sim import ProtocolError, compare, run_rtl


@dataclass(frozen=True)
class Replayed:
    """The outcome: the build, the simulator, and the difference in words, empty if there is none."""

    build: str
    simulator: str
    difference: str

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


@store.uses_build
def replay(directory: Path, file: Path, *, simulator: str = "verilator", waves: bool = False) -> Replayed:
    """Run a build's RTL on the codes in `file` and compare its outputs with the netlist's.

    Raises:
        BundleError: the directory is no build, or the file no counterexample.
        CodesError: the counterexample is not one of this build.
        ToolError: the simulator is missing or fails.
    """
    if simulator == "none":
        raise ConfigError("a replay runs the RTL; give the simulator verilator or icarus")
    build = store.read(directory)
    codes = load_counterexample(file)
    expected = simulate(build.circuit, codes)
    sources = sorted(Path(directory) / name for name in build.files if name.startswith(("rtl/", "sim/")))
    interface = rtl_interface(build)
    try:
        words = words_of(codes, interface)
        result = run_rtl(sources, interface, words, simulator=simulator, build_dir=Path(directory) / WORK, waves=waves)
    except ProtocolError as error:
        return Replayed(interface.top, simulator, str(error))
    found = compare(expected.scores, expected.classes, result.scores, result.classes, result.top)
    return Replayed(interface.top, simulator, "" if found.first is None else str(found.first))
