"""Builds in one design: a top that has them side by side, what goes into each and what must come out.

Imports no cocotb; `meeting_bench` drives the top.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from difflut.check.builds import rtl_interface, words_of
from difflut.export.builds import store
from difflut.export.builds.frames import frame_order, framing_of
from difflut.export.builds.ports import top_ports
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate

TOP = "meeting"
# Names that begin with each other, and like parts of each other.
_DRIVEN = {"in_valid": "valid", "in_codes": "data", "s_axis_tdata": "data", "s_axis_tvalid": "valid"}
_DRIVEN |= {"s_axis_tlast": "last"}
_READ = {"in_ready": "ready", "s_axis_tready": "ready", "out_valid": "out_valid", "m_axis_tvalid": "out_valid"}
_FIXED = {"clk": "clk", "aclk": "clk", "rst": "rst", "aresetn": "~rst", "m_axis_tready": "1'b1"}


@dataclass(frozen=True)
class Plan:
    """What the bench does, as JSON in bytes: for each build its name, `words` with `lasts`, and `results`."""

    text: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Met:
    """Left only by a run in which every result was right: how many there were."""

    results: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Meeting:
    """Builds of different names in one top, whose ports are `clk`, `rst` and those of each build behind its name."""

    builds: Sequence[Build]
    top: str = TOP

    @property
    def read_ports(self) -> tuple[str, ...]:
        """The ports that the bench reads."""
        return tuple(
            f"{made.info.name}_{port}"
            for made in self.builds
            for port in ("out_valid", "out", *(["ready"] if _has_ready(made) else []))
        )

    @property
    def driven_ports(self) -> tuple[str, ...]:
        """The ports that the bench drives."""
        drives = [f"{made.info.name}_{port}" for made in self.builds for port in _driven(made)]
        return ("clk", "rst", *drives)

    @cached_property
    def text(self) -> str:
        """The Verilog of the top, without a time scale of its own."""
        ports, inside = ["input wire clk", "input wire rst"], []
        for made in self.builds:
            declared, instance = _instance(made)
            ports += declared
            inside.append(instance)
        return f"module {self.top} (\n  " + ",\n  ".join(ports) + "\n);\n" + "".join(inside) + "endmodule\n"

    def write(self, folder: Path) -> list[Path]:
        """Write all builds, and the top beside them; the sources to compile, the builds' first."""
        sources = []
        for made in self.builds:
            place = folder / made.info.name
            store.write(made, place)
            sources += [place / name for name in made.files if name.endswith(".v")]
        (folder / f"{self.top}.v").write_text(self.text)
        return [*sources, folder / f"{self.top}.v"]

    def plan(self, samples: int) -> Plan:
        """Random codes for each build, and the results that its circuit has."""
        entries = [_entry(made, samples, seed) for seed, made in enumerate(self.builds)]
        return Plan(np.frombuffer(json.dumps(entries).encode(), np.uint8))


def _has_ready(made: Build) -> bool:
    return made.info.axi_stream is not None or made.info.pixels is not None


def _driven(made: Build) -> Mapping[str, int]:
    """The ports in the top that drive a build, and their widths."""
    return {_DRIVEN[port.name]: port.width_bits for port in top_ports(made.info) if port.name in _DRIVEN}


def _instance(made: Build) -> tuple[list[str], str]:
    """The ports of the top for a build, and the build's instance."""
    name, connections, results, out = made.info.name, {}, [], 0
    ports = [f"input wire [{width - 1}:0] {name}_{port}" for port, width in _driven(made).items()]
    for port in top_ports(made.info):
        if port.name in _FIXED:
            connections[port.name] = _FIXED[port.name]
        elif port.name in _DRIVEN:
            connections[port.name] = f"{name}_{_DRIVEN[port.name]}"
        elif port.name in _READ:
            connections[port.name] = f"{name}_{_READ[port.name]}"
            ports.append(f"output wire {name}_{_READ[port.name]}")
        elif port.direction == "input":
            connections[port.name] = f"{port.width_bits}'d0"
        elif port.name.startswith(("out_", "m_axis_tdata")):
            connections[port.name] = f"{name}_out[{out} +: {port.width_bits}]"
            out += port.width_bits
        else:
            results.append(port.name)
            connections[port.name] = ""
    ports.append(f"output wire [{out - 1}:0] {name}_out")
    pins = ", ".join(f".{port}({signal})" for port, signal in connections.items())
    return ports, f"  {name} instance_of_{name} ({pins});\n"


def _entry(made: Build, samples: int, seed: int) -> dict[str, object]:
    info, form = made.info, made.circuit.input
    codes = np.random.default_rng(seed).integers(form.lowest, form.highest + 1, (samples, form.features))
    right = simulate(made.circuit, codes)
    if info.axi_stream is not None:
        framing = framing_of(info)
        beats = framing.codes.pack(frame_order(info, codes))
        scores = info.axi_stream.output == "scores"
        answers = framing.results.pack(right.scores if scores else right.classes[:, None])
        words = [int.from_bytes(beat.tobytes(), "little") for frame in beats for beat in frame]
        lasts = [place == beats.shape[1] - 1 for _ in beats for place in range(beats.shape[1])]
        results = [int.from_bytes(beat.tobytes(), "little") for frame in answers for beat in frame]
    else:
        width, output = info.input.width_bits, info.output
        words = [_packed(row, width) for row in words_of(codes, rtl_interface(made))]
        lasts = []
        results = []
        for row, best in zip(right.scores, right.classes, strict=True):
            scored = _packed(row, output.scores.width_bits) if output.scores else 0
            results.append(scored | int(best) << (dict(output.ports).get("out_scores", 0)) if output.best else scored)
    return {
        "name": info.name,
        "ready": _has_ready(made),
        "words": [hex(word) for word in words],
        "lasts": lasts,
        "results": [hex(result) for result in results],
    }


def _packed(values: npt.NDArray[np.int64], width_bits: int) -> int:
    mask = (1 << width_bits) - 1
    return sum((int(value) & mask) << width_bits * place for place, value in enumerate(values))
