"""One sample through a circuit: encoder bits, every layer's bits, scores and class, by the reference simulator.

The netlist is the one that was traced, before the passes, so that every node of the model is in it; what was emitted
must give the same scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from difflut import reading
from difflut.data_names import Wording
from difflut.errors import ConfigError, DataError
from difflut.export.circuit.netlist import FIRST_NET
from difflut.export.circuit.simulate import simulate, simulate_nets
from difflut.input_format import InputFormat
from difflut.inspect.circuits import OpenedCircuit
from difflut.shown import Brief

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel

Bits = npt.NDArray[np.bool_]


class TakesSamples(Protocol):
    """Whatever has samples of a shape, in a format."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""

    @property
    def input_format(self) -> InputFormat:
        """Of its codes."""


@dataclass(frozen=True, eq=False, repr=False)
class LayerBits(Brief):
    """One layer's outputs.

    Attributes:
        name: "encoder" or "layer 1".
        bits: bool (width,), node 0 first; of the encoder the comparisons, by input and ascending threshold.
    """

    name: str
    bits: Bits

    @property
    def hex(self) -> str:
        """Four bits a digit, the first bit the lowest of the first digit."""
        padded = np.zeros(-(-len(self.bits) // 4) * 4, np.int64)
        padded[: len(self.bits)] = self.bits
        return "".join(f"{digit:x}" for digit in padded.reshape(-1, 4) @ (1, 2, 4, 8))


@dataclass(frozen=True, eq=False, repr=False)
class InputTrace(Brief):
    """What a circuit does with one sample.

    Attributes:
        codes: int (features,).
        layers: the encoder, then each layer of the model.
        scores: one a class.
        predicted: the class; ties go to the lowest index.
        emitted_agrees: whether the netlist after the passes gives the same scores.
        inputs: name, number with unit and code of each feature, where features have names.
        class_name: of the class, or its number.
        pytorch_agrees: whether PyTorch gives the same scores and class; None if there is no PyTorch model.
    """

    codes: npt.NDArray[np.int64]
    layers: tuple[LayerBits, ...]
    scores: tuple[int, ...]
    predicted: int
    emitted_agrees: bool
    pytorch_agrees: bool | None
    inputs: tuple[tuple[str, str, int], ...] = ()
    class_name: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything that could be compared agrees."""
        return self.emitted_agrees and self.pytorch_agrees is not False

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; bits as hexadecimal digits with their width and number of ones."""
        return {
            "codes": self.codes.tolist(),
            "layers": [
                {"name": layer.name, "width": len(layer.bits), "ones": int(layer.bits.sum()), "hex": layer.hex}
                for layer in self.layers
            ],
            "scores": list(self.scores),
            "class": self.predicted,
            "class_name": self.class_name,
            "inputs": [{"name": name, "number": number, "code": code} for name, number, code in self.inputs],
            "emitted_agrees": self.emitted_agrees,
            "pytorch_agrees": self.pytorch_agrees,
        }


def trace_input(circuit: OpenedCircuit, codes: npt.NDArray[Any]) -> InputTrace:
    """Run one sample through a circuit.

    Args:
        circuit: the circuit.
        codes: int (features,), codes of its input format.

    Raises:
        CodesError: a code is out of range.
    """
    netlist = circuit.traced
    row = codes.reshape(1, -1)
    outputs = simulate(netlist, row)
    nets = simulate_nets(netlist, row)[0]
    order = np.lexsort((netlist.compare_threshold, netlist.compare_feature))
    layers = [LayerBits("encoder", nets[FIRST_NET : netlist.first_lut_net][order])]
    of_luts = nets[netlist.first_lut_net :]
    for layer in np.unique(netlist.lut_layer[netlist.lut_layer > 0]).tolist():
        luts = np.flatnonzero(netlist.lut_layer == layer)
        luts = luts[np.argsort(netlist.lut_node[luts], kind="stable")]
        layers.append(LayerBits(f"layer {layer}", of_luts[luts]))
    emitted = simulate(circuit.netlist, row)
    return InputTrace(
        codes=codes.reshape(-1).astype(np.int64),
        layers=tuple(layers),
        scores=tuple(outputs.scores[0].tolist()),
        predicted=int(outputs.classes[0]),
        emitted_agrees=bool((emitted.scores == outputs.scores).all()),
        pytorch_agrees=pytorch_agrees(circuit.model, row, outputs.scores[0], int(outputs.classes[0])),
        inputs=_inputs(circuit.wording, codes.reshape(-1).tolist()),
        class_name=circuit.wording.class_name(int(outputs.classes[0])),
    )


def _inputs(wording: Wording, codes: list[int]) -> tuple[tuple[str, str, int], ...]:
    if not wording.named:
        return ()
    return tuple((wording.feature(k), wording.number(k, code), code) for k, code in enumerate(codes))


def pytorch_agrees(
    model: BaseModel | None, row: npt.NDArray[Any], scores: npt.NDArray[np.int64], predicted: int
) -> bool | None:
    """Whether a model gives these scores, int64 (classes,), and class for the codes (1, features); None of no model."""
    if model is None:
        return None
    import torch

    from difflut.training import predict_scores

    codes = torch.from_numpy(row.astype(np.int32)).reshape(1, *model.input_shape)
    expected, classes = predict_scores(model, codes)
    return bool((expected[0].numpy() == scores).all()) and int(classes[0]) == predicted


def load_codes(path: Path, circuit: TakesSamples) -> npt.NDArray[np.int64]:
    """The codes of a sample in a file: .npy with codes or numbers, or .png with 8-bit pixels of the model's size.

    Raises:
        DataError: the file cannot be read or holds something else than one sample.
        ConfigError: another kind of file, or Pillow is missing.
    """
    if path.suffix == ".npy":
        values = _read_npy(path)
    elif path.suffix == ".png":
        values = _read_png(path, circuit)
    else:
        raise ConfigError(f"{path}: expected the number of a test sample, or a file that ends in .npy or .png")
    return quantised(values, circuit, str(path))


def quantised(values: npt.NDArray[Any], circuit: TakesSamples, where: str) -> npt.NDArray[np.int64]:
    """The codes int (features,) of one sample: integers are codes, numbers become the nearest codes within range.

    Raises:
        DataError: not one sample of the circuit, or not finite; names `where` it came from.
    """
    form, features = circuit.input_format, math.prod(circuit.shape)
    if values.size != features or values.dtype.kind not in "iuf":
        raise DataError(
            f"{where}: holds {values.dtype} {values.shape}; expected one sample of {features} features, shape "
            f"{circuit.shape}"
        )
    if values.dtype.kind != "f":
        try:
            return reading.integers(values).reshape(-1)
        except ValueError as error:
            raise DataError(f"{where}: {error}; expected codes of {form.width_bits} bits") from error
    if not np.isfinite(values).all():
        raise DataError(f"{where}: holds values that are not finite")
    return circuit.input_format.codes_of(values.reshape(1, -1)).astype(np.int64).reshape(-1)


def _read_npy(path: Path) -> npt.NDArray[Any]:
    try:
        return reading.read_npy(path)
    except ValueError as error:
        raise DataError(f"{path}: cannot be read ({error}); expected an array of one sample") from error


def _read_png(path: Path, circuit: TakesSamples) -> npt.NDArray[Any]:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(f"{path}: reading .png needs Pillow ({error}): pip install 'difflut[report]'") from error
    shape, form = circuit.shape, circuit.input_format
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != 3) or (form.width_bits, form.signed) != (8, False):
        raise ConfigError(
            f"{path}: the model takes {math.prod(shape)} codes of shape {shape}, no image of 8-bit pixels; give a .npy "
            "file"
        )
    try:
        with Image.open(path, formats=["PNG"]) as image:
            width, height = image.size
            if (height, width) == shape[-2:]:  # else nothing is unpacked
                pixels = np.asarray(image.convert("L" if len(shape) == 2 else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read ({error}); expected a PNG image") from error
    if (height, width) != shape[-2:]:
        raise DataError(
            f"{path}: is {width} pixels wide and {height} high; expected {shape[-1]} and {shape[-2]}, as the model "
            "takes them: scale it first"
        )
    return pixels if len(shape) == 2 else np.moveaxis(pixels, 2, 0)
