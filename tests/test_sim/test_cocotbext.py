"""AXI builds against the AXI models of cocotbext-axi: right ones pass, broken ones do not."""

from __future__ import annotations

from pathlib import Path

import cocotbext_bench_frames as shared
import numpy as np
import pytest
from axi_builds import FAULTS, SHAPES, axi_build, broken
from pixel_builds import broken as broken_pixels
from pixel_builds import pixel_build
from tools import require_icarus, require_package

from difflut.check.builds import axi_interface
from difflut.export.builds import pack_samples, store
from difflut.export.builds.frames import framing_of, registers_of
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.sim import ToolFailure
from difflut.sim.runner import Bench, build
from difflut.sim.runner import simulate as run_bench
from difflut.sim.toolchain import find_cocotb


def run(made: Build, folder: Path, seed: int = 0) -> int:
    """Run the bench; how many results it compared."""
    require_icarus()
    require_package("cocotbext.axi", "dev")
    store.write(made, folder / "net")
    interface, framing = axi_interface(made), framing_of(made.info)
    form = made.circuit.input
    codes = np.random.default_rng(seed).integers(form.lowest, form.highest + 1, (12, form.features))
    right = simulate(made.circuit, codes)
    results = right.scores if interface.output == "scores" else right.classes[:, None]
    offsets = {register.name: register.offset for register in registers_of(made.info)}
    names = ("IDENTITY", "CONTROL", "FRAMES", "RESULTS", "DROPPED_SHORT", "DROPPED_LONG")
    stimulus = shared.Frames(
        codes=pack_samples(folder / "net", codes).reshape(len(codes), -1),
        results=framing.results.pack(results).reshape(len(codes), -1),
        addresses=np.array([offsets[name] for name in names], np.int64),
        seed=np.array(seed, np.int64),
    )
    sources = sorted((folder / "net" / "rtl").glob("*.v"))
    built = build(
        sources, interface, find_cocotb(), "icarus", build_dir=folder / "work", waves=False, probes=(), seed=seed
    )
    bench = Bench(interface.top, "cocotbext_bench", shared.Passed)
    return int(run_bench(built, bench, stimulus, len(codes)).compared)


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"one beat"}))
def test_right_wrappers_pass(shape: str, tmp_path: Path) -> None:
    assert run(axi_build(shape), tmp_path) == 2 * 12 + 4 + 6


@pytest.mark.parametrize(
    "fault", ["swapped lanes", "frame one beat short", "no resynchronisation", "result kept after a reset"]
)
def test_broken_wrappers_fail(fault: str, tmp_path: Path) -> None:
    assert fault in FAULTS
    with pytest.raises(ToolFailure, match=r"(?s)without writing its results.*(AssertionError|SimTimeoutError|to bool)"):
        run(broken(fault), tmp_path)


@pytest.mark.parametrize("shape", ["narrow", "signed"])
def test_streaming_builds_pass(shape: str, tmp_path: Path) -> None:
    assert run(pixel_build(shape), tmp_path) == 2 * 12 + 4 + 6


@pytest.mark.parametrize("fault", ["images not filled up", "dropped frames answered"])
def test_broken_streaming_builds_fail(fault: str, tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match=r"(?s)without writing its results.*(AssertionError|SimTimeoutError|to bool)"):
        run(broken_pixels(fault), tmp_path)
