"""Runs RTL on codes: build, simulate, judge the recording."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

import difflut
from difflut.errors import ConfigError
from difflut.export.verilog.design import Probe
from difflut.files import WriteError, scratch, write_atomically
from difflut.locks import locked
from difflut.progress import task
from difflut.sim import protocol, vectors
from difflut.sim.build import Simulator, build_icarus, build_verilator, check_sources
from difflut.sim.interface import Ports, ProbeLike, RtlInterface, as_codes
from difflut.sim.process import ToolFailure, clean_environment, log_excerpt, run_logged
from difflut.sim.toolchain import Cocotb, find_cocotb, find_icarus, find_verilator
from difflut.sim.waves import WaveTop, wave_top

SIMULATORS = ("verilator", "icarus")
LOG = "simulate.log"
Recorded = TypeVar("Recorded")


@dataclass(frozen=True, eq=False)
class RtlResult:
    """What the RTL computed.

    Attributes:
        scores: int64 (N, classes), None without the port `out_scores`.
        classes: int64 (N,), None without the port `out_class`.
        latency_cycles: measured, and equal to the declared one.
        build_seconds: wall time of the build, near 0 when an earlier build was reused.
        run_seconds: wall time of the simulation.
        probe_values: for each probe bool (N, width), LSB first.
        waves: the waveform file (FST), when one was asked for.
        top: int64 (N, ranks), the class of each rank, None without the port `out_top`.
    """

    scores: npt.NDArray[np.int64] | None
    classes: npt.NDArray[np.int64] | None
    latency_cycles: int
    build_seconds: float
    run_seconds: float
    probe_values: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    waves: Path | None = None
    top: npt.NDArray[np.int64] | None = None


def run_rtl(
    sources: Sequence[Path],
    interface: RtlInterface,
    codes: npt.ArrayLike,
    *,
    simulator: str = "verilator",
    build_dir: Path,
    bubbles: bool = True,
    seed: int = 0,
    waves: bool = False,
    probes: Sequence[ProbeLike] = (),
) -> RtlResult:
    """Simulate a top module on every row of `codes` and return its scores and classes.

    The bench resets the design, fills it, resets it again, both with `in_valid` high, checks that `out_valid` is
    cleared, then feeds the samples in order, with stretches of back-to-back samples and, with `bubbles`, idle cycles
    between others; `in_codes` shows garbage while `in_valid` is low. A port `ce` is low at random, and then `rst` and
    `in_valid` are high and `in_codes` shows garbage, which must change nothing. It checks that each sample gives one
    output, at the declared latency, and gives up when `in_ready` stays low for longer than the declared interval
    allows.

    Args:
        sources: Verilog files, any order; headers (.vh, .svh) are found by `include`.
        interface: the top module and its ports.
        codes: integers (N, features), N >= 1; of images with `interface.words` words a row each.
        simulator: "verilator" or "icarus".
        build_dir: receives logs, the simulator (reused while sources and options are unchanged) and waveforms.
        bubbles: whether `in_valid` has gaps.
        seed: of the gaps, the garbage and Verilator's random initial register values.
        waves: whether to write a waveform file, FST, and beside it `waves.gtkw`, which says what GTKWave shows. The
            design then lies in a module that has scores as signals of their own, and the numbers of the samples.
        probes: signals to read for every sample; their nets give the width.

    Raises:
        ConfigError: sources, codes or options are not usable.
        ToolError: a tool is missing or too old; its subclass ToolFailure: a tool failed, with an excerpt of its log.
        ProtocolError: the RTL broke the protocol of its ports.
        WriteError: the build folder cannot be written.
    """
    paths = check_options(sources, simulator, seed)
    checked = as_codes(codes, interface.features, interface.width_bits)
    cocotb = find_cocotb()

    started = time.monotonic()
    ports, around = watched(interface, build_dir, waves)
    if around:
        probes = [Probe(f"{interface.top}.{probe.signal}", probe.nets, probe.stage_cycles) for probe in probes]
    built = build(
        *([*paths, *around], ports, cocotb, simulator), build_dir=build_dir, waves=waves, probes=probes, seed=seed
    )
    build_seconds = time.monotonic() - started

    started = time.monotonic()
    stimulus = _stimulus(checked, interface, probes, bubbles=bubbles, seed=seed)
    recording = simulate(built, Bench(ports.top, "difflut.sim.bench", vectors.Recording), stimulus, len(checked))
    keep_view(built, ports)
    run_seconds = time.monotonic() - started

    protocol.check_taken(recording, interface, len(checked))
    latency_cycles = protocol.measured_latency(recording, interface)
    results = protocol.decode_outputs(recording, interface)
    return RtlResult(
        scores=results.scores,
        classes=results.classes,
        top=results.top,
        latency_cycles=latency_cycles,
        build_seconds=build_seconds,
        run_seconds=run_seconds,
        probe_values=[
            protocol.decode_probe(recording, index, probe.signal, len(probe.nets)) for index, probe in enumerate(probes)
        ],
        waves=built.waves,
    )


def watched(interface: Ports, build_dir: Path, waves: bool) -> tuple[Ports, list[Path]]:
    """What is simulated, and the sources that it needs besides the design's: for waves a module around the design.

    Raises:
        WriteError: the build folder cannot be written.
    """
    if not waves:
        return interface, []
    view = wave_top(interface)
    path = _made(Path(build_dir)) / f"{view.top}.v"
    write_atomically(path, view.verilog().encode())
    return view, [path]


def keep_view(built: Simulator, ports: Ports) -> None:
    """Put beside the waveforms of a run what GTKWave shows of them."""
    if isinstance(ports, WaveTop) and built.waves is not None:
        write_atomically(built.waves.with_suffix(".gtkw"), ports.gtkwave(built.waves.name).encode())


def _stimulus(
    codes: npt.NDArray[np.integer], interface: RtlInterface, probes: Sequence[ProbeLike], *, bubbles: bool, seed: int
) -> vectors.Stimulus:
    words = vectors.pack_codes(codes, interface.width_bits)
    return vectors.Stimulus(
        words=words,
        gaps=vectors.input_gaps(
            len(codes),
            interface.latency_cycles,
            bubbles=bubbles,
            seed=seed,
            stretch=max(16, 2 * interface.words),
        ),
        garbage=vectors.garbage_words(words, interface.features * interface.width_bits, seed=seed),
        latency_cycles=np.array(interface.latency_cycles, dtype=np.int64),
        probe_signals=np.array([probe.signal for probe in probes], dtype=np.str_),
        probe_cycles=np.array([probe.stage_cycles for probe in probes], dtype=np.int64),
        result_ports=np.array(interface.result_ports, dtype=np.str_),
        waits_for_ready=np.array(interface.pixels > 0),
        words_per_sample=np.array(interface.words, dtype=np.int64),
        interval_cycles=np.array(interface.interval_cycles, dtype=np.int64),
        stalls=vectors.stall_cycles(seed=seed) if interface.clock_enable else np.zeros(0, np.int64),
    )


def check_options(sources: Sequence[Path], simulator: str, seed: int) -> list[Path]:
    """The sources as paths.

    Raises:
        ConfigError: they cannot be compiled, the simulator is unknown, or the seed negative.
    """
    if simulator not in SIMULATORS:
        raise ConfigError(f"simulator must be one of {', '.join(SIMULATORS)}, got {simulator!r}")
    paths = [Path(source) for source in sources]
    check_sources(paths)
    if seed < 0:
        raise ConfigError(f"seed must not be negative, got {seed}")
    return paths


def build(
    sources: Sequence[Path],
    interface: Ports,
    cocotb: Cocotb,
    simulator: str,
    *,
    build_dir: Path,
    waves: bool,
    probes: Sequence[ProbeLike],
    seed: int,
) -> Simulator:
    """Build a simulator, or find the one of an earlier run, and show that; of two runs at once one waits."""
    folder = _made(Path(build_dir))
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder))
        except OSError as error:
            raise WriteError(f"cannot use {folder}: {error.strerror}; choose a folder that is writable") from error
        held.enter_context(task(f"building the simulator with {simulator}"))
        if simulator == "verilator":
            return build_verilator(
                *(sources, interface, find_verilator(), cocotb),
                build_dir=folder,
                waves=waves,
                probes=probes,
                seed=seed,
            )
        return build_icarus(sources, interface, find_icarus(), cocotb, build_dir=folder, waves=waves)


def _made(folder: Path) -> Path:
    """The folder, which is there now; raises WriteError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot create {folder}: {error.strerror}; choose a build folder that is writable") from error
    return folder


@dataclass(frozen=True)
class Bench(Generic[Recorded]):
    """A test bench: the top module, the Python module that drives it, and what it records."""

    top: str
    module: str
    recording: type[Recorded]


def simulate(built: Simulator, bench: Bench[Recorded], stimulus: Any, samples: int) -> Recorded:
    """Run a bench with a stimulus, a dataclass of arrays, in a folder of its own, and return its recording.

    cocotb imports modules from where it runs, so nothing may lie in that folder but what is written here.
    The log, the recording and the waveforms are moved to the simulator's folder at the end.

    Raises:
        ToolFailure: the simulator failed or left no recording.
        WriteError: its folder cannot be written.
    """
    with scratch("run", built.folder) as folder:
        stimulus_file, recording_file, progress = folder / "stimulus.npz", folder / "recording.npz", folder / "progress"
        log = folder / LOG
        vectors.write(stimulus_file, stimulus)
        write_atomically(progress, b"")
        environment = clean_environment(
            **built.environment,
            **_cocotb_environment(find_cocotb(), bench),
            COCOTB_RESULTS_FILE=str(folder / "results.xml"),
            DIFFLUT_SIM_STIMULUS=str(stimulus_file),
            DIFFLUT_SIM_RECORDING=str(recording_file),
            DIFFLUT_SIM_PROGRESS=str(progress),
        )
        with task("simulating the RTL", samples, "samples") as shown:

            def show_progress() -> None:
                lines = progress.read_text(encoding="ascii").split()
                shown.done = int(lines[-1]) if lines else 0

            status = run_logged(built.command, log=log, cwd=folder, environment=environment, poll=show_progress)
        return _results(built, bench, folder, status)


def _results(built: Simulator, bench: Bench[Recorded], run: Path, status: int) -> Recorded:
    """The recording that a run left in its folder; its files take the places of an earlier run's.

    The simulator's exit status is no evidence: cocotb ends with 0 after a failed test as well.
    """
    problem, recording, recording_file = "", None, run / "recording.npz"
    if not recording_file.is_file():
        problem = f"the simulator ended (exit status {status}) without writing its results"
    else:
        try:
            recording = vectors.read(recording_file, bench.recording)
        except (OSError, KeyError, ValueError) as error:
            problem = f"the simulator's results cannot be read: {error}"
        else:
            problem = f"the simulator failed with exit status {status}" if status else ""
    excerpt = log_excerpt(run / LOG)
    waves = built.waves.name if built.waves else None
    for name in filter(None, (LOG, recording_file.name, waves)):
        _keep(run / name, built.folder / name)
    if problem or recording is None:
        raise ToolFailure(problem, built.command, built.folder / LOG, excerpt)
    return recording


def _keep(made: Path, place: Path) -> None:
    """Move a file of a run to its place; where the run did not make it, none of an earlier run stays either."""
    try:
        if made.exists():
            os.replace(made, place)
        else:
            place.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write {place}: {error.strerror}; choose a folder that is writable") from error


def _cocotb_environment(cocotb: Cocotb, bench: Bench[Any]) -> dict[str, str]:
    """What cocotb's documentation of custom build flows asks for."""
    return {
        "GPI_USERS": f"{cocotb.python_library};{cocotb.entry_point}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(_import_paths()),
        "COCOTB_TEST_MODULES": bench.module,
        "COCOTB_TOPLEVEL": bench.top,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # to rewrite none: it starts pytest with all its plugins
    }


def _import_paths() -> list[str]:
    """Where this process imports from and where difflut lies, the working directory last and only if the user named
    code there.
    """
    home = str(Path(difflut.__file__).parent.parent)
    paths = [*(os.path.abspath(path) for path in sys.path if path), home]
    return sorted(dict.fromkeys(paths), key=lambda path: path != home and path == os.getcwd())
