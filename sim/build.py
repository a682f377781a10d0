"""Compiles Verilog sources into a simulator that cocotb can drive, once for the same sources and options.

The tools run in a temporary folder, on copies with plain relative names, so the user's paths may hold spaces and
non-ASCII characters, which make and Verilator cannot handle; the finished simulator is kept in the user's cache
(`difflut.sim.cache`), since a folder that somebody else packed must not say what is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from difflut.errors import ConfigError
from difflut.files import WriteError, scratch, tools_folder
from difflut.quoting import make, shell
from difflut.sim import cache, runtime
from difflut.sim.interface import Ports, ProbeLike
from difflut.sim.process import ToolFailure, clean_environment, run_logged
from difflut.sim.toolchain import Cocotb, Icarus, Verilator

# Figures behind these options: docs/simulation.md. Registers start at random values (see `Simulator.command`), so that
# logic which relies on a power-up value shows.
VERILATOR_FLAGS = (
    *("--cc", "--exe", "--vpi", "--no-timing", "--prefix", "Vtop"),
    *("-O3", "--x-assign", "unique", "--x-initial", "unique"),
    *("--output-split", "20000", "--output-split-cfuncs", "200"),
)
MAKE_VARIABLES = ("OPT_FAST=-Og", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")
# Up to this many bytes of C++ are compiled in one piece: each file of its own reads the same headers again.
ONE_PIECE = 400_000
WAVES_FILE = "waves.fst"
# What Verilator's FST writer includes in place of lz4.h and zlib.h, which few machines have.
_COMPRESSION = Path(__file__).parent / "fst"
_HEADERS = (".vh", ".svh")
_SOURCES = (".v", ".sv")


@dataclass(frozen=True)
class Simulator:
    """A compiled simulator.

    Attributes:
        command: runs it, in any working directory; waveforms go there.
        folder: is for its logs and its waveforms.
        environment: variables that it needs.
        waves: the file that a run writes waveforms to, if the build was asked for them.
    """

    command: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    waves: Path | None


def build_verilator(
    sources: Sequence[Path],
    interface: Ports,
    tool: Verilator,
    cocotb: Cocotb,
    *,
    build_dir: Path,
    waves: bool,
    probes: Sequence[ProbeLike],
    seed: int,
) -> Simulator:
    """Build with Verilator. Only the ports and the probed signals are public: more would defeat its optimisation.

    Raises:
        ToolFailure: Verilator or make failed, or gave no executable.
    """
    folder = _folder(build_dir, "verilator", waves=waves, probes=bool(probes))
    flags = [*VERILATOR_FLAGS, *(["--trace-fst"] if waves else [])]
    access = _access_rules(interface, probes)
    digest = _digest(sources, interface.top, flags, MAKE_VARIABLES, access, asdict(tool), asdict(cocotb))
    simulator = cache.find(digest, "simulator")
    if simulator is None:
        with _workspace(sources) as work:
            run = partial(_step, log=_fresh_log(folder), cwd=work)
            product = _verilate(work, sources, interface.top, flags, access, tool, cocotb, run)
            simulator = cache.install(product, digest, "simulator")
    waves_options = ["--trace", "--trace-file", WAVES_FILE] if waves else []
    random_start = ["+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFE + 1}"]
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [str(cocotb.libraries), os.environ.get("LD_LIBRARY_PATH")])),
        # Verilator applies written values after the current evaluation, so cocotb need not delay them (Icarus: it
        # must).
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
    }
    return Simulator(
        (str(simulator), *waves_options, *random_start), folder, environment, folder / WAVES_FILE if waves else None
    )


def _verilate(
    work: Path,
    sources: Sequence[Path],
    top: str,
    flags: Sequence[str],
    access: str,
    tool: Verilator,
    cocotb: Cocotb,
    run: Callable[..., None],
) -> Path:
    """Generate and compile the C++ code in `work`; returns the executable."""
    (work / "access.vlt").write_text(access, encoding="ascii")
    shutil.copy(cocotb.verilator_main, work / "main.cpp")
    (work / "cocotb_lib").symlink_to(cocotb.libraries)
    environment = clean_environment()
    settings = [*MAKE_VARIABLES]
    if tool.root is not None:
        (work / "verilator_root").symlink_to(tool.root)
        environment["VERILATOR_ROOT"] = str(work / "verilator_root")
        # The package's makefile names tools of the machine that it was built on, and leaves CFG_CXXFLAGS_PCH_I empty,
        # without which builds large enough for precompiled headers fail.
        settings += ["CFG_CXXFLAGS_PCH_I=-include", f"CXX={make(tool.compiler)}", f"LINK={make(tool.compiler)}"]
        settings += [f"PYTHON3={make(shell(sys.executable))}"]
        if "--trace-fst" in flags and (tool.root / "include" / "fstcpp").is_dir():
            shutil.copytree(_COMPRESSION, work / "fst", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
            flags = [*flags, "-CFLAGS", "-I../fst"]
            settings.append("LDLIBS=$(VM_USER_LDLIBS)")  # without -llz4 -lz
    verilate = [tool.executable, *flags, "--top-module", top, "--Mdir", "obj", "-o", "simulator", "-I."]
    verilate += ["-LDFLAGS", f"-L{work / 'cocotb_lib'} -lcocotbvpi_verilator"]
    verilate += ["access.vlt", *_to_compile(sources), "main.cpp"]
    run("Verilator", verilate, work / "obj" / "Vtop.mk", environment=environment)
    obj = work / "obj"
    if sum(file.stat().st_size for file in obj.glob("*.cpp")) <= ONE_PIECE:
        settings.append("VM_PARALLEL_BUILDS=0")
    compile_ = [tool.make, "-j", str(_processors()), "-C", "obj", "-f", "Vtop.mk", *settings]
    with runtime.kept(obj, tool, [*flags, *MAKE_VARIABLES]):
        run("compiling Verilator's C++ code", compile_, obj / "simulator", environment=environment)
    return obj / "simulator"


def build_icarus(
    sources: Sequence[Path],
    interface: Ports,
    tool: Icarus,
    cocotb: Cocotb,
    *,
    build_dir: Path,
    waves: bool,
) -> Simulator:
    """Build with Icarus Verilog, as Verilog-2001 unless a source ends in .sv. All signals can be probed.

    Raises:
        ToolFailure: iverilog failed or gave no program.
    """
    folder = _folder(build_dir, "icarus", waves=waves, probes=False)
    system_verilog = any(source.suffix == ".sv" for source in sources)
    flags = ["-g2012" if system_verilog else "-g2001", "-Wall", "-Wno-timescale", "-I.", "-s", interface.top]
    dump = f'module waves_dump; initial begin $dumpfile("{WAVES_FILE}"); $dumpvars(0, {interface.top}); end endmodule\n'
    if waves:
        flags += ["-s", "waves_dump"]
    digest = _digest(sources, flags, asdict(tool), waves)
    program = cache.find(digest, "simulator.vvp")
    if program is None:
        with _workspace(sources) as work:
            (work / "waves_dump.v").write_text(dump, encoding="ascii")
            command = [tool.iverilog, *flags, "-o", "simulator.vvp", *_to_compile(sources)]
            command += ["waves_dump.v"] if waves else []
            product, log = work / "simulator.vvp", _fresh_log(folder)
            _step("Icarus Verilog", command, product, log=log, cwd=work, environment=clean_environment())
            program = cache.install(product, digest, "simulator.vvp")
    return Simulator(
        (tool.vvp, "-n", "-m", cocotb.icarus_library, str(program), "-fst" if waves else "-none"),
        folder,
        {},
        folder / WAVES_FILE if waves else None,
    )


def _access_rules(interface: Ports, probes: Sequence[ProbeLike]) -> str:
    """A Verilator control file that makes the ports and the probed signals visible to cocotb."""
    top = interface.top
    rules = [f'public_flat_rw -module "{top}" -var "{port}"' for port in interface.driven_ports]
    rules += [f'public_flat_rd -module "{top}" -var "{port}"' for port in interface.read_ports]
    for signal in dict.fromkeys(probe.signal for probe in probes):
        if not re.fullmatch(r"[A-Za-z0-9_$.]+", signal):
            raise ConfigError(f"probe signal {signal!r} is not a dotted path of plain Verilog identifiers")
        *instances, variable = signal.split(".")
        # Rules name modules, not instances; a probe below the top may be in any module.
        rules.append(f'public_flat_rd -module "{"*" if instances else top}" -var "{variable}"')
    return "\n".join(["`verilator_config", *dict.fromkeys(rules), ""])


def _folder(build_dir: Path, simulator: str, *, waves: bool, probes: bool) -> Path:
    """One folder for each kind of build, so that a debug build does not displace the plain one."""
    folder = build_dir.absolute() / (simulator + ("-probes" if probes else "") + ("-waves" if waves else ""))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot create {folder}: {error.strerror}; choose a build folder that is writable") from error
    return folder


def check_sources(sources: Sequence[Path]) -> None:
    """Refuse what cannot be compiled.

    Raises:
        ConfigError: no source, a missing one, two of the same name, or one that is not Verilog.
    """
    if not any(source.suffix in _SOURCES for source in sources):
        raise ConfigError(f"no Verilog source (.v or .sv) among {[str(source) for source in sources]}")
    seen: dict[str, Path] = {}
    for source in sources:
        if source.suffix not in _SOURCES + _HEADERS:
            raise ConfigError(f"{source} is not a Verilog file; expected the suffix .v, .sv, .vh or .svh")
        if not source.is_file():
            raise ConfigError(f"Verilog source {source} does not exist")
        if source.name in seen:
            raise ConfigError(f"two Verilog sources have the same name: {seen[source.name]} and {source}")
        seen[source.name] = source


def _compiled_name(index: int, source: Path) -> str:
    """The copy's name: the source's own where the tools can take it (headers are included by name)."""
    plain = source.suffix in _HEADERS or re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*", source.name)
    return source.name if plain else f"source{index}{source.suffix}"


def _to_compile(sources: Sequence[Path]) -> list[str]:
    return [_compiled_name(index, source) for index, source in enumerate(sources) if source.suffix in _SOURCES]


@contextmanager
def _workspace(sources: Sequence[Path]) -> Iterator[Path]:
    with scratch("sim", tools_folder()) as work:
        for index, source in enumerate(sources):
            shutil.copyfile(source, work / _compiled_name(index, source))
        yield work


def _step(
    what: str,
    command: Sequence[str],
    product: Path,
    *,
    log: Path,
    cwd: Path,
    environment: dict[str, str],
) -> None:
    """Run one tool; it must leave `product`."""
    status = run_logged(command, log=log, cwd=cwd, environment=environment)
    if status != 0:
        raise ToolFailure(f"{what} failed with exit status {status}", command, log)
    if not product.is_file() or product.stat().st_size == 0:
        raise ToolFailure(f"{what} ended without an error but did not write {product.name}", command, log)


def _digest(sources: Sequence[Path], *options: Any) -> str:
    contents = [(source.name, hashlib.sha256(source.read_bytes()).hexdigest()) for source in sources]
    return hashlib.sha256(json.dumps([contents, options], default=str).encode()).hexdigest()


def _fresh_log(folder: Path) -> Path:
    """An empty log."""
    log = folder / "build.log"
    try:
        log.write_bytes(b"")
    except OSError as error:
        raise WriteError(f"cannot write {log}: {error.strerror}; choose a build folder that is writable") from error
    return log


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
