"""Recordings made by hand, as an importer of another format makes them: the netlist and the circuit agree."""

import numpy as np
import pytest

from difflut.export.circuit.circuit import MapSize
from difflut.export.circuit.netlist import InputFormat
from difflut.export.circuit.simulate import simulate
from difflut.export.circuit.unroll import unroll
from difflut.export.errors import TraceError
from difflut.export.frontend.recording import Recording
from difflut.export.frontend.unrolled import build_netlist
from difflut.export.frontend.windowed import build_circuit

OR, AND = np.array([[0, 1, 1, 1]], bool), np.array([[0, 0, 0, 1]], bool)


def recorded(shape: tuple[int, ...] = (3, 4)) -> Recording:
    """Pixels >= 2; each ORed with its right neighbour, beyond the last column with 0; the corners are ANDed and
    counted.
    """
    recording = Recording("edges", InputFormat(12, 3), shape)
    bits = recording.compare(np.arange(12).reshape(1, 1, 3, 4), 2)
    ored = recording.convolve(bits, (np.array([[1, 2]]),), (OR,), ((1, 3), (1, 1), (0, 1)))
    corners = ored[0, 0][[0, 0, 2, 2], [0, 3, 0, 3]]
    counted = recording.look_up(corners.reshape(2, 2), np.repeat(AND, 2, axis=0))
    recording.groups = np.concatenate([counted, [1], corners[:1]]).reshape(2, 2)
    return recording


def expected_scores(codes: np.ndarray) -> np.ndarray:
    bits = np.pad((codes >= 2).reshape(-1, 3, 4), ((0, 0), (0, 0), (0, 1)))
    ored = bits[:, :, :-1] | bits[:, :, 1:]
    top, bottom = (ored[:, row, 0] & ored[:, row, 3] for row in (0, 2))
    return np.stack([top.astype(int) + bottom, 1 + ored[:, 0, 0]], axis=1)


def test_netlist_and_circuit_of_a_recording() -> None:
    codes = np.random.default_rng(0).integers(0, 5, (100, 12))
    netlist, circuit = build_netlist(recorded()), build_circuit(recorded())
    assert circuit.maps == (MapSize(1, 3, 4), MapSize(1, 3, 4)) and circuit.luts == 3
    assert unroll(circuit) == netlist
    for made in (netlist, circuit):
        np.testing.assert_array_equal(simulate(made, codes).scores, expected_scores(codes))


def test_several_maps_at_once_are_for_the_netlist_only() -> None:
    recording = Recording("batch", InputFormat(8, 1), (2, 4))
    bits = recording.compare(np.arange(8).reshape(2, 1, 2, 2), 1)
    ids = recording.convolve(bits, (np.array([[0, 3]]),), (AND,), ((2, 2), (1, 1), (0, 0)))
    assert ids.shape == (2, 1, 1, 1)
    recording.groups = ids.reshape(2, 1)
    netlist = build_netlist(recording)
    assert simulate(netlist, [[1, 0, 0, 1, 1, 1, 1, 0]]).scores.tolist() == [[1, 0]]
    with pytest.raises(
        TraceError, match=r"model 'batch': a convolution on bits has no circuit: .* the map of one image"
    ):
        build_circuit(recording)


def test_errors() -> None:
    recording = recorded((12,))
    with pytest.raises(TraceError, match=r"model 'edges': its input_shape is \(12,\); an image has the shape"):
        build_circuit(recording)
    with pytest.raises(TraceError, match="a comparison was met after a layer; encode all inputs first"):
        recording.compare([0], [1])
    empty = Recording("none", InputFormat(4, 1), (2, 2))
    empty.groups = empty.compare(np.arange(4), 1).reshape(2, 2)
    with pytest.raises(TraceError, match=r"model 'none' has no convolution \(ConvLUTLayer\) on its image"):
        build_circuit(empty)
