"""What `simulate` gives, by the faster way: compiling pays for many samples."""

from __future__ import annotations

import numpy.typing as npt

from difflut.export.circuit.circuit import Circuit, as_circuit
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.simulate import Outputs, simulate
from difflut.export.engine.engine import Engine
from difflut.progress import LOGGER

# Nodes times samples that `simulate` computes in a second, of netlists and of kernels on windows of images.
_A_SECOND, _A_SECOND_OF_WINDOWS = 1e9, 3e7
LEAST_SECONDS = 0.5


def outputs(circuit: Circuit | Netlist, codes: npt.ArrayLike) -> Outputs:
    """Scores and class words of a circuit, arguments and errors as of `simulate`.

    An engine computes them if `simulate` would take more than about half a second, and there is a C compiler.
    """
    whole = as_circuit(circuit)
    checked = whole.input.check_codes(codes)
    if len(checked) * _seconds_a_sample(whole) < LEAST_SECONDS:
        return simulate(circuit, checked)
    engine = Engine(circuit)
    if engine.missing:
        LOGGER.info("simulating in NumPy: %s", engine.missing)
    return engine(checked)


def _seconds_a_sample(circuit: Circuit) -> float:
    kernels = sum(layer.kernel.luts * size.pixels for layer, size in zip(circuit.layers, circuit.maps[1:], strict=True))
    return circuit.body.luts / _A_SECOND + kernels / _A_SECOND_OF_WINDOWS
