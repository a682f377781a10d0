"""A small design for the proofs, and what Icarus says about a changed text: whether its function changed at all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import icarus
import numpy as np
import numpy.typing as npt
from edited_designs import edited

from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import find_family
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.proof.read_back import read_back
from difflut.export.proof.rtl import RtlOutcome, prove_rtl
from difflut.export.verilog.design import Design
from difflut.export.verilog.netlist import emit

Mutation = tuple[str, str, str]  # file, regular expression, replacement (of the first match)


def staged_netlist(group: int = 22, classes: int = 3, seed: int = 0) -> Netlist:
    """Three comparators a feature; 30 nodes; a second layer that also reads comparators, so that bits skip a stage."""
    rng = np.random.default_rng(seed)
    builder = NetlistBuilder("toy", InputFormat(8, 3))
    compare = builder.add_comparators(np.repeat(np.arange(8), 3), np.tile([2, 4, 6], 8))
    first = builder.add_layer(rng.choice(compare, (30, 4)), rng.random((30, 16)) < 0.5)
    count = group * classes
    feeds = np.concatenate([rng.choice(first, (count, 3)), rng.choice(compare, (count, 1))], axis=1)
    last = builder.add_layer(feeds, rng.random((count, 16)) < 0.5)
    return assign_stages(builder.finish(Head(np.arange(classes + 1) * group, last)))


def emitted(netlist: Netlist, fpga: str = "generic", **options: Any) -> Design:
    """The design for a family, without probes, so that changed texts need not keep any signal."""
    return replace(emit(netlist, find_family(fpga), **options), probes=())


def mutated(design: Design, mutation: Mutation) -> Design:
    """The design with the first match in one file replaced."""
    file, pattern, replacement = mutation
    name = f"{design.top}{file}.v"
    text, count = re.subn(pattern, replacement, design.files[name], count=1)
    assert count == 1 and text != design.files[name], f"{pattern} does not occur in {name}"
    return edited(design, {name: text})


def prove(design: Design, netlist: Netlist) -> RtlOutcome:
    """Read the text back and prove it."""
    return prove_rtl(read_back(design.files, design.top), netlist, design.latency_cycles)


def some_codes(netlist: Netlist, samples: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Random codes."""
    form = netlist.input
    return np.random.default_rng(seed).integers(form.lowest, form.highest + 1, (samples, form.features))


def simulated(design: Design, netlist: Netlist, codes: npt.NDArray[np.int64], folder: Path) -> icarus.Trace:
    """What Icarus shows in each cycle; the reset comes at the start and once in the middle of a full pipeline."""
    folder.mkdir(exist_ok=True)
    edges = len(codes)
    rst = np.arange(edges) < design.latency_cycles + 1
    rst[edges // 2] = True
    valid = np.random.default_rng(1).random(edges) < 0.7
    return icarus.run(design, netlist, rst, valid, codes, folder)


def function_changed(right: Design, wrong: Design, netlist: Netlist, folder: Path) -> bool:
    """Whether Icarus shows another output in any cycle after the pipeline was filled."""
    codes = some_codes(netlist, 2500)
    a = simulated(right, netlist, codes, folder / "right")
    b = simulated(wrong, netlist, codes, folder / "wrong")
    start = right.latency_cycles + 1
    return a.valid[start:] != b.valid[start:] or any(
        a.outputs[port][start:] != b.outputs[port][start:] for port in a.outputs
    )
