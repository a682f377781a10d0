"""A test bench in plain Verilog with golden vectors: the circuit's reference simulation, without difflut or Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.builds.info import BuildInfo
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.simulate import Outputs, simulate
from difflut.hdl_templates import render

FOLDER = "tb/"
Integers = npt.NDArray[np.integer[Any]]


def bench_files(info: BuildInfo, circuit: Circuit, codes: Integers) -> dict[str, bytes]:
    """The files of the bench, by path: Verilog, what goes in and what must come out, what a wave viewer shows.

    The bench is that of the module with the plain interface, `info.core`.

    Args:
        info: `build.json`.
        circuit: what must be computed.
        codes: integers (N, features), samples in the order of the model; N >= 1.
    """
    words = _words(info, codes)
    name, ports = info.name, info.output.ports
    context = {
        "build": info,
        "samples": len(codes),
        "words": words.shape[1],
        "code_bits": info.input.features * info.input.width_bits,
        "result_bits": sum(width for _, width in ports),
        "limit": 1000 + 8 * len(codes) * (words.shape[1] + info.initiation_interval) + 2 * info.latency_cycles,
        "ports": ports,
        "models": any(path.startswith("sim/") for path in info.files),
    }
    results = _packed(info, simulate(circuit, codes))
    lines = {
        f"{name}_codes.hex": [
            _number(word.tolist(), info.input.width_bits) for word in words.reshape(-1, words.shape[2])
        ],
        f"{name}_expected.hex": results,
    }
    return {
        f"{FOLDER}{name}_tb.v": render("test_bench.v.j2", context).encode(),
        f"{FOLDER}{name}_tb.gtkw": render("test_bench.gtkw.j2", context).encode(),
        **{f"{FOLDER}{file}": "".join(f"{value:x}\n" for value in some).encode() for file, some in lines.items()},
    }


def _words(info: BuildInfo, codes: Integers) -> Integers:
    """What enters in each cycle: (N, words, codes of a word); pixels beyond a row are 0."""
    schedule = info.schedule
    columns, several = schedule.columns(info.input.shape), schedule.pixels_per_cycle
    rows = schedule.frame_order(codes).reshape(len(codes), -1, columns, info.input.features // several)
    padded = np.pad(rows, ((0, 0), (0, 0), (0, -columns % several), (0, 0)))
    return padded.reshape(len(codes), -1, info.input.features)


def _packed(info: BuildInfo, outputs: Outputs) -> list[int]:
    """The result ports of each sample as one number, the first port lowest."""
    output, parts = info.output, []
    if output.scores is not None:
        parts.append((outputs.scores, output.scores.width_bits))
    if output.best is not None:
        parts.append((outputs.classes[:, None], output.best.width_bits))
    if output.top is not None:
        ranked = np.argsort(-outputs.scores, axis=1, kind="stable")[:, : output.top.count]
        parts.append((ranked, output.top.width_bits))
    packed = [0] * len(outputs.scores)
    place = 0
    for values, width in parts:
        for sample, row in enumerate(values.tolist()):
            packed[sample] |= _number(row, width) << place
        place += values.shape[1] * width
    return packed


def _number(values: list[int], width: int) -> int:
    """Values of `width` bits side by side, the first lowest, negative ones in two's complement."""
    mask = (1 << width) - 1
    return sum((value & mask) << (width * place) for place, value in enumerate(values))
