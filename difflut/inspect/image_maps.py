"""One image through a convolutional circuit: the bits of every map, by the reference simulator.

The circuit is the one that was traced, before the passes, so that its maps have every channel of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from difflut.data_names import DataNames, Wording
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.circuit.circuit import Circuit, WindowLayer
from difflut.export.circuit.netlist import FIRST_NET
from difflut.export.circuit.simulate import simulate, simulate_maps
from difflut.export.errors import NetlistError
from difflut.input_format import InputFormat
from difflut.inspect.input_trace import Bits, LayerBits, pytorch_agrees
from difflut.progress import task
from difflut.report.maps import read_maps
from difflut.shown import Brief

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


@dataclass(frozen=True, eq=False, repr=False)
class ImageCircuit(Brief):
    """A convolutional circuit and where it comes from.

    Attributes:
        model_name: the model's name.
        shape: of one sample.
        input_format: of its codes.
        circuit: as traced, each kernel once.
        model: the PyTorch model, None for a build directory.
        names: of features and classes, None if there are none.
    """

    model_name: str
    shape: tuple[int, ...]
    input_format: InputFormat
    circuit: Circuit
    model: BaseModel | None
    names: DataNames | None = None

    @property
    def wording(self) -> Wording:
        """Codes and classes in the words of the data."""
        return Wording(self.names, self.input_format, self.shape)


@dataclass(frozen=True, eq=False, repr=False)
class MapBits(Brief):
    """One map of an image.

    Attributes:
        number: 0 for the first.
        made: how, in words.
        bits: bool (channels, rows, columns).
    """

    number: int
    made: str
    bits: Bits

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; bits channel by channel and row by row, in digits as of `LayerBits`."""
        channels, rows, columns = self.bits.shape
        return {
            "number": self.number,
            "made": self.made,
            "channels": channels,
            "rows": rows,
            "columns": columns,
            "ones": self.bits.sum(axis=(1, 2)).tolist(),
            "hex": LayerBits(f"map {self.number}", self.bits.reshape(-1)).hex,
        }


@dataclass(frozen=True, eq=False, repr=False)
class ImageMaps(Brief):
    """What a convolutional circuit does with one image.

    Attributes:
        codes: int64 (features,).
        maps: in their order.
        scores: one a class.
        predicted: the class; ties go to the lowest index.
        class_name: of the class, or its number.
        pytorch_agrees: whether PyTorch gives the same scores and class; None if there is no PyTorch model.
    """

    codes: npt.NDArray[np.int64]
    maps: tuple[MapBits, ...]
    scores: tuple[int, ...]
    predicted: int
    class_name: str
    pytorch_agrees: bool | None

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return {
            "codes": self.codes.tolist(),
            "maps": [item.to_json() for item in self.maps],
            "scores": list(self.scores),
            "class": self.predicted,
            "class_name": self.class_name,
            "pytorch_agrees": self.pytorch_agrees,
        }


def open_images(source: str, model_class: str | None = None) -> ImageCircuit:
    """Open a build directory, without torch, or trace a zoo model or a checkpoint, each kernel once.

    Raises:
        BundleError: a directory that is no complete, unedited build.
        ConfigError: the circuit has no maps.
        DifflutError: no such model, no checkpoint, or a model whose maps a stream would not have.
    """
    with task(f"opening {source}"):
        opened = _of_build(Path(source)) if Path(source).is_dir() else _of_model(source, model_class)
    try:
        _ = opened.circuit.size
    except NetlistError as error:
        where = "give its verify/model.safetensors (with --model if the class is your own), or export --conv streaming"
        reason = f"as exported it has each position of a kernel by itself, if it has kernels: {where}"
        if opened.model is not None:
            reason = "the model has no convolution; `difflut trace-input` draws its layers"
        raise ConfigError(f"{source}: the circuit has no maps; {reason}") from error
    return opened


def _of_build(folder: Path) -> ImageCircuit:
    build = store.read(folder)
    info = build.info
    return ImageCircuit(info.model.name, info.input.shape, info.input.format, build.traced, None, info.names)


def _of_model(source: str, model_class: str | None) -> ImageCircuit:
    from difflut.export.frontend.trace import trace_circuit
    from difflut.models import load_model

    model = load_model(source, model_class)
    circuit = trace_circuit(model)
    return ImageCircuit(model.name, model.input_shape, model.input_format, circuit, model, model.names)


def image_maps(images: ImageCircuit, codes: npt.NDArray[Any]) -> ImageMaps:
    """Run one image through a circuit.

    Args:
        images: the circuit.
        codes: int (features,), codes of its input format.

    Raises:
        CodesError: a code is out of range.
    """
    circuit, row = images.circuit, codes.reshape(1, -1)
    outputs = simulate(circuit, row)  # refuses codes that are none
    facts = read_maps(circuit)
    maps = tuple(
        MapBits(number, _made(circuit, number, facts[number].made), bits[0].astype(np.bool_))
        for number, bits in enumerate(simulate_maps(circuit, row))
    )
    predicted = int(outputs.classes[0])
    return ImageMaps(
        codes=codes.reshape(-1).astype(np.int64),
        maps=maps,
        scores=tuple(outputs.scores[0].tolist()),
        predicted=predicted,
        class_name=images.wording.class_name(predicted),
        pytorch_agrees=pytorch_agrees(images.model, row, outputs.scores[0], predicted),
    )


def _made(circuit: Circuit, number: int, windows: str) -> str:
    """How a map is made, in words; `windows` says it of the windows alone."""
    _, bit = circuit.pixel_format.features_and_bits(circuit.compare_channel)
    filtered = bool((np.asarray(bit) >= 0).any())
    if number == 0:
        return "the bits of the codes, from the lowest" if filtered else windows
    if number == 1 and filtered:
        return f"the encoded image: pixels, and sums of {windows}"
    return f"{windows}, each channel by itself" if _by_channel(circuit.layers[number - 1]) else windows


def _by_channel(layer: WindowLayer) -> bool:
    """Whether output k reads channel k only, as a pooling does."""
    kernel, area = layer.kernel, layer.window[0] * layer.window[1]
    channels = [0, 0, *(1 << int(feature) // area for feature in kernel.compare_feature)]
    assert len(channels) == FIRST_NET + kernel.comparators
    for lut in range(kernel.luts):
        read = 0
        for net in kernel.fanin(lut).tolist():
            read |= channels[net]
        channels.append(read)
    return all(channels[int(net)] in (0, 1 << k) for k, net in enumerate(kernel.head.nets))
