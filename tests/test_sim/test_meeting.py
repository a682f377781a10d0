"""Builds of different names in one design: two of each form and interface, with primitives and without."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from convolutions import Plan as Convolution
from convolutions import Step, made
from icarus import call
from meeting import Meeting, Met
from small_models import Chain, fitted
from tools import require_icarus, require_tool, require_verilator

from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.interfaces.framing import Stream
from difflut.export.schedule.forms import Folded
from difflut.sim import ToolFailure
from difflut.sim.runner import Bench, build, simulate
from difflut.sim.toolchain import find_cocotb, find_verilator

# Of two trainings of one class; names that begin with each other.
BUILDS: dict[str, dict[str, Any]] = {
    "net": {},
    "net_a": {"fpga": "xc7"},
    "net_a_b": {"fpga": "xcup", "outputs": "class"},
    "stream": {"interface": "axi-stream", "stream": Stream(16)},
    "stream_a": {"interface": "axi-stream", "fpga": "xc7"},
    "image": {"form": "streaming"},
    "image_a": {"form": "streaming", "interface": "axi-stream", "fpga": "xcup"},
    "folded": {"form": Folded(nodes_per_cycle=2)},
    "folded_a": {"form": Folded(nodes_per_cycle=1), "interface": "axi-stream", "stream": Stream(8, "class")},
}


@cache
def build_of(name: str) -> Build:
    """One of `BUILDS`."""
    options = BUILDS[name]
    seed = sorted(BUILDS).index(name)
    if "form" in options:
        model = made(Convolution((1, 4, 4), (Step(2, (3, 3), padding=(1, 1)),), widths=(20,), seed=seed))
    else:
        model = fitted(Chain(6, ((12, 5), (8, 4))), seed)
    return make_build(model, name=name, **options)


def run(meeting: Meeting, simulator: str, folder: Path, samples: int = 6) -> int:
    """Simulate; the number of results that were compared."""
    sources = meeting.write(folder)
    built = build(sources, meeting, find_cocotb(), simulator, build_dir=folder / "work", waves=False, probes=(), seed=0)
    return int(simulate(built, Bench(meeting.top, "meeting_bench", Met), meeting.plan(samples), samples).results)


def test_all_meet_in_icarus(tmp_path: Path) -> None:
    require_icarus()
    meeting = Meeting([build_of(name) for name in BUILDS])
    results = run(meeting, "icarus", tmp_path)
    beats = [made.info.axi_stream.results.beats if made.info.axi_stream else 1 for made in meeting.builds]
    assert results == 6 * sum(beats) >= 6 * len(BUILDS)


@pytest.mark.full
def test_all_meet_in_verilator(tmp_path: Path) -> None:
    require_verilator()
    assert run(Meeting([build_of(name) for name in BUILDS]), "verilator", tmp_path) > 6 * len(BUILDS)


def test_all_lint_in_verilator(tmp_path: Path) -> None:
    """Without a warning, also where the top has no time scale."""
    require_verilator()
    meeting = Meeting([build_of(name) for name in BUILDS])
    sources = [str(path) for path in meeting.write(tmp_path)]
    options = ["--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-PINCONNECTEMPTY", "--language", "1364-2001"]
    call(find_verilator().executable, *options, "--top-module", meeting.top, *sources, folder=tmp_path)


def test_a_wrong_result_is_noticed(tmp_path: Path) -> None:
    """The bench is no decoration: one build under the name of another training of its class."""
    require_icarus()
    other = make_build(fitted(Chain(6, ((12, 5), (8, 4))), 99), name="net_a")
    meeting = Meeting([build_of("net"), other])
    object.__setattr__(other, "circuit", build_of("net_a").circuit)
    with pytest.raises(ToolFailure, match=r"net_a: result \d"):
        run(meeting, "icarus", tmp_path)


def test_models_without_guards_would_not_meet(tmp_path: Path) -> None:
    """What the guards are for."""
    iverilog = require_tool("iverilog")
    model = build_of("net_a").text("sim/net_a_xilinx_models.v")
    bare = "\n".join(line for line in model.splitlines() if not line.startswith(("`ifndef", "`define", "`endif")))
    for name, text in (("a.v", model), ("b.v", model), ("c.v", bare), ("d.v", bare)):
        (tmp_path / name).write_text(text)
    call(iverilog, "-o", "x", "a.v", "b.v", folder=tmp_path)
    with pytest.raises(AssertionError, match="LUT6"):
        call(iverilog, "-o", "x", "c.v", "d.v", folder=tmp_path)
