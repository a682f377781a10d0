"""Compiled inference on one core, beside the reference simulator, PyTorch and other libraries' compiled networks.

    python benchmarks/bench_engine.py [--difflogic FOLDER] [--torchlogix PYTHON] [--luts 1000 ...]

Each contender computes the same samples, from codes in memory to classes, in turn with the others; figures are medians
of CPU seconds of this process. FOLDER holds the unpacked package difflogic 0.1.0, whose installation needs CUDA: only
what makes compiled networks is loaded. PYTHON is one of 3.12 or newer with torchlogix 0.2.2, which writes its C code.
All give equal scores, or this fails.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import numpy as np
import torch
from netlists import layered_netlist

import difflut
from difflut.data import mnist_test
from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.engine import native
from difflut.export.engine.engine import Engine
from difflut.export.engine.simplify import simplified
from difflut.training import predict

MODEL, LATENCY_US = "mnist_fc_8k_dwn", 50
INPUTS, GATES, LAYERS, CLASSES = 784, 2000, 6, 10  # of the network of two-input gates
SIZES = (1_000, 10_000, 100_000, 1_000_000)
# Gates by number as difflogic has them, which is bit 3 - (b + 2 * a) of the number at inputs a and b; as torchlogix.
OPERATORS = (
    *("CONST_FALSE", "AND", "AND_NOT_B", "WIRE", "AND_NOT_A", None, "XOR", "OR"),
    *("NOR", "XNOR", None, "OR_NOT_B", "NOT", "OR_NOT_A", "NAND", "CONST_TRUE"),
)


def seconds(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The median CPU seconds of a call of each."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            started = time.process_time()
            call()
            times[name].append(time.process_time() - started)
    return {name: float(np.median(some)) for name, some in times.items()}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process and of compilers that it waits for, and the result."""

    def now() -> float:
        return sum(os.times()[:4])

    started = now()
    result = call()
    return now() - started, result


def table(rows: dict[str, tuple[int, float]], reference: str) -> None:
    """Print samples a second."""
    print("| | M images/s | to the engine |\n| --- | ---: | ---: |")
    count, taken = rows[reference]
    for name, (images, spent) in rows.items():
        print(f"| {name} | {images / spent / 1e6:.3g} | x{images / spent / (count / taken):.2g} |")
    print(flush=True)


def the_model() -> None:
    """The zoo's network on MNIST's test images."""
    model = difflut.get_model(MODEL, pretrained=True).eval()
    torch.set_num_threads(1)
    images = mnist_test().x.reshape(-1, model.input_size)
    codes = images.numpy().astype(np.uint8)
    netlist = simplified(difflut.trace(model))
    ready, engine = timed(lambda: Engine(netlist))
    some, few = images[:500].reshape(-1, *model.input_shape), codes[:2000]
    expected = simulate(netlist, codes)
    found = engine(codes)
    assert np.array_equal(found.scores, expected.scores)
    assert np.array_equal(found.classes, expected.classes)
    calls = {
        "engine, classes": (len(codes), lambda: engine.classes(codes)),
        "engine, scores and classes": (len(codes), lambda: engine(codes)),
        "simulate (NumPy)": (len(few), lambda: simulate(netlist, few)),
        "PyTorch, eval mode": (len(some), lambda: predict(model, some)),
    }
    taken = seconds({name: call for name, (_, call) in calls.items()}, 21)
    table({name: (count, taken[name]) for name, (count, _) in calls.items()}, "engine, classes")
    alone = []
    for sample in range(1000):
        started = time.perf_counter()
        engine.classes(codes[sample : sample + 1])
        alone.append(time.perf_counter() - started)
    print(f"one image alone: {np.median(alone) * 1e6:.0f} us, median of 1,000 (target {LATENCY_US})  ")
    again, build = timed(lambda: difflut.compile(model))[0], of_a_build(model)
    print(f"ready, CPU s: from the netlist {ready:.2f}, the model {again:.2f}, a build with all imports {build:.2f}  ")
    print("targets: 5 M images/s with AVX-512, 2 M with AVX2, ready in 1 s\n", flush=True)


def of_a_build(model: difflut.BaseModel) -> float:
    """CPU seconds of a process that compiles a build."""
    with tempfile.TemporaryDirectory() as folder:
        difflut.export_model(model, Path(folder, "build"))
        program = "import sys, difflut; difflut.compile(sys.argv[1])"
        command = [sys.executable, "-c", program, str(Path(folder, "build"))]
        return timed(lambda: subprocess.run(command, check=True))[0]


def gates() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each layer the nets that its gates read, int64 (gates, 2), and their operators."""
    chance = np.random.default_rng(0)
    known = [number for number, name in enumerate(OPERATORS) if name is not None]
    widths = [INPUTS] + [GATES] * LAYERS
    reads = [chance.integers(0, width, (GATES, 2)) for width in widths[:-1]]
    return reads, [chance.choice(known, GATES) for _ in reads]


def as_netlist(reads: list[np.ndarray], operators: list[np.ndarray]) -> Netlist:
    """The network on codes of one bit."""
    builder = NetlistBuilder("gates", InputFormat(INPUTS, 1))
    nets = builder.add_comparators(np.arange(INPUTS), 1)
    place = np.array([0, 2, 1, 3])  # address a + 2 * b in the order b + 2 * a
    for read, operator in zip(reads, operators, strict=True):
        nets = builder.add_layer(nets[read], (operator[:, None] >> (3 - place) & 1).astype(np.bool_))
    return builder.finish(nets.reshape(CLASSES, -1))


def of_difflogic(folder: Path, reads: list[np.ndarray], operators: list[np.ndarray]) -> Callable[[np.ndarray], Any]:
    """Its CompiledLogicNet of the network."""
    sys.modules["difflogic_cuda"] = ModuleType("difflogic_cuda")
    sys.path.insert(0, str(folder))
    made = importlib.import_module("difflogic.compiled_model").CompiledLogicNet(None, num_bits=64)
    layers = zip(reads, operators, strict=True)
    made.layers = [(*torch.from_numpy(read.T.copy()), torch.from_numpy(operator)) for read, operator in layers]
    made.num_inputs, made.num_classes = INPUTS, CLASSES
    with contextlib.redirect_stdout(io.StringIO()):
        spent, _ = timed(lambda: made.compile(opt_level=1))
    print(f"difflogic: compiled in {spent:.0f} s  ", flush=True)
    return made  # type: ignore[no-any-return]


def of_torchlogix(python: Path, reads: list[np.ndarray], operators: list[np.ndarray]) -> Callable[[np.ndarray], Any]:
    """The C code of its Circuit of the network, compiled as `Circuit.compile` does it."""
    listed, first = [], 0
    for layer, (read, operator) in enumerate(zip(reads, operators, strict=True)):
        for gate, ((a, b), number) in enumerate(zip(read.tolist(), operator.tolist(), strict=True)):
            own = INPUTS + layer * GATES + gate
            listed.append({"gate_id": own, "op": OPERATORS[number], "in0": first + a, "in1": first + b})
        first = INPUTS + layer * GATES
    each = GATES // CLASSES
    sums = [
        {"node_id": first + GATES + k, "input_ids": list(range(first + k * each, first + (k + 1) * each))}
        for k in range(CLASSES)
    ]
    content = {"n_inputs": INPUTS, "input_shape": [INPUTS], "gates": listed, "sum_nodes": sums}
    content |= {"outputs": [one["node_id"] for one in sums], "output_shape": [CLASSES]}
    program = "import json, sys; from torchlogix.circuit import Circuit; "
    program += "sys.stdout.write(Circuit.from_dict(json.load(sys.stdin)).get_c_code(pack_bits=64))"
    given = json.dumps(content)
    code = subprocess.run([python, "-c", program], input=given, stdout=subprocess.PIPE, check=True, text=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "circuit.c"), Path(folder, "circuit.so")
        source.write_text(code)
        command = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)]
        spent, _ = timed(lambda: subprocess.run(command, check=True))
        function = ctypes.CDLL(str(library)).circuit_bench_bool
    print(f"torchlogix: compiled in {spent:.0f} s  ", flush=True)

    def scores(bits: np.ndarray) -> np.ndarray:
        found = np.zeros((len(bits), CLASSES), np.uint8)  # what its code has for sums of up to 255
        function(ctypes.c_void_p(bits.ctypes.data), ctypes.c_void_p(found.ctypes.data), len(bits))
        return found

    return scores


def two_input_gates(difflogic: Path | None, torchlogix: Path | None) -> None:
    """The same network of gates in each library."""
    reads, operators = gates()
    netlist = as_netlist(reads, operators)
    ready, engine = timed(lambda: Engine(simplified(netlist)))
    print(f"engine: netlist to engine, passes included, in {ready:.2f} s; {engine.circuit.luts:,} gates left  ")
    bits = np.random.default_rng(1).integers(0, 2, (6400, INPUTS)).astype(np.bool_)
    codes = bits.view(np.uint8)
    others: dict[str, Callable[[np.ndarray], Any]] = {}
    if difflogic is not None:
        others["difflogic, CompiledLogicNet, 64 bits"] = of_difflogic(difflogic, reads, operators)
    if torchlogix is not None:
        others["torchlogix, Circuit.compile, 64 bits"] = of_torchlogix(torchlogix, reads, operators)
    expected = simulate(netlist, codes).scores
    assert np.array_equal(engine(codes).scores, expected)
    for name, call in others.items():
        assert np.array_equal(np.asarray(call(bits)), expected), name
    plain = Engine(netlist)
    calls: dict[str, Callable[[], Any]] = {
        "engine, scores and classes": lambda: engine(codes),
        "engine, all gates": lambda: plain(codes),
        **{f"{name}, scores": lambda call=call: call(bits) for name, call in others.items()},  # type: ignore[misc]
    }
    print()
    taken = seconds(calls, 21)
    table({name: (len(bits), spent) for name, spent in taken.items()}, "engine, scores and classes")


def sizes(counts: list[int]) -> None:
    """Random six-input LUTs, each layer reading the one before, on 100 bytes, with a comparison for ten LUTs."""
    print(
        "| LUTs | a layer | ready, s | memory so far, MB | ps a LUT and sample |\n| ---: | ---: | ---: | ---: | ---: |"
    )
    for luts in counts:
        for layer in sorted({min(luts // 2, 5_000), luts // 4 // 10 * 10}):
            shape = (layer,) * (luts // layer)
            netlist = layered_netlist(shape, features=100, comparators=min(luts // 10, 2_000))
            spent, engine = timed(lambda netlist=netlist: Engine(netlist))  # type: ignore[misc]
            count = max(512, 5 * 10**8 // luts // 512 * 512)
            codes = np.random.default_rng(0).integers(0, 256, (min(count, 51200), 100), dtype=np.uint8)
            engine.classes(codes[:512])
            taken = seconds({"": lambda: engine.classes(codes)}, 5)[""]  # noqa: B023
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            each = taken / len(codes) / netlist.luts * 1e12
            print(f"| {netlist.luts:,} | {layer:,} | {spent:.2f} | {peak:,.0f} | {each:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--difflogic", type=Path, metavar="FOLDER")
    parser.add_argument("--torchlogix", type=Path, metavar="PYTHON")
    parser.add_argument("--luts", type=int, nargs="*", default=SIZES)
    options = parser.parse_args()
    spent, _ = timed(native.load)
    print(f"Kernel loaded, or compiled, in {spent:.2f} s.\n\n{MODEL}, 10,000 test images of MNIST, one thread:\n")
    the_model()
    print(f"{LAYERS} layers of {GATES:,} two-input gates on {INPUTS} bits, {CLASSES} classes:\n")
    two_input_gates(options.difflogic, options.torchlogix)
    sizes(list(options.luts))


if __name__ == "__main__":
    main()
