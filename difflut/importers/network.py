"""A network as arrays, checked, and the model that it becomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.errors import ConfigError, NetworkFileError
from difflut.input_format import InputFormat
from difflut.models import MODELS
from difflut.models.given import MOST, GivenNetwork
from difflut.models.tables import TableNetwork

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Network(ABC):
    """A network as arrays: a thermometer, and what a subclass has behind it.

    Attributes:
        thresholds: floating (F, z); None where the network's inputs are bits.
        features: F.
        scaler: mean and scale, float64 (F,), of what the thermometer gets; None if it gets the numbers themselves.
        planes: None where bit f * z + t is `x[f] > thresholds[f, t]`; else the number of colours C: bit (c * z + t) *
            F / C + p is of feature c * F / C + p, the bits being planes of an image.
    """

    thresholds: Floats | None
    features: int
    scaler: tuple[Floats, Floats] | None = None
    planes: int | None = None

    @abstractmethod
    def model(self, places: Ints, **front: Any) -> GivenNetwork:
        """The model, whose thermometer has no thresholds yet.

        Args:
            places: int64 (F * z,), which bit of the model's thermometer each bit of the network's is.
            front: name, input_size, bits, scaled and input_format of the model.

        Raises:
            NetworkFileError: the arrays are no network.
        """

    @abstractmethod
    def fill(self, model: GivenNetwork, places: Ints) -> None:
        """Give the model, whose layers are there, their values."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerNetwork(Network):
    """LUT layers between a thermometer and a group sum; see `from_tables`.

    Attributes:
        connections, tables: a layer each, int64 (nodes, n) and bool (nodes, 2**n).
        classes, tau, beta: of the group sum: (sum + beta) / tau.
        permutation: int64 (W,), which node of the last layer is bit i of the group sum; None for all in their order.
    """

    connections: tuple[Ints, ...]
    tables: tuple[npt.NDArray[np.bool_], ...]
    classes: int
    tau: float
    beta: float = 0.0
    permutation: Ints | None = None

    def model(self, places: Ints, **front: Any) -> GivenNetwork:
        """As of `Network`."""
        connections, _ = checked_layers(self, places)
        layers = [(one.shape[0], one.shape[1]) for one in connections]
        return TableNetwork(classes=self.classes, layers=layers, tau=self.checked_tau, offset=self.beta, **front)

    @property
    def checked_tau(self) -> float:
        """Tau; an error where it is none."""
        if not self.tau > 0 or not np.isfinite(self.tau):
            raise NetworkFileError(f"tau is {self.tau}; expected a finite number above 0")
        return float(self.tau)

    def fill(self, model: GivenNetwork, places: Ints) -> None:
        """As of `Network`."""
        state = model.state_dict()  # views of what is in the model
        for (layer, _), wires, entries in zip(model.lut_layers(), *checked_layers(self, places), strict=True):
            state[f"{layer}.wiring.connections"].copy_(torch.from_numpy(wires))
            state[f"{layer}.nodes.tables"].copy_(torch.from_numpy(entries))


def from_tables(
    connections: Sequence[Any],
    tables: Sequence[Any],
    classes: int,
    *,
    tau: float = 1.0,
    thresholds: Any = None,
    features: int | None = None,
    scaler: tuple[Any, Any] | None = None,
    permutation: Any = None,
    input_format: InputFormat | None = None,
    name: str = "network",
) -> TableNetwork:
    """A model of LUT layers that are given, in eval mode; `unfreeze()` makes it trainable.

    Args:
        connections: for each layer integers (nodes, n): which bit of the layer before, or of the thermometer, feeds
            input i of a node. The thermometer's bit f * z + t is `x[f] > thresholds[f, t]`.
        tables: for each layer (nodes, 2**n) of bool, 0 or 1; index bit i = input i.
        classes: C. The last layer's bits are summed in C equal consecutive groups, zeros behind them if need be.
        tau: by which the sums are divided; it changes logits, no circuit.
        thresholds: floating (F, z), in any order; None if the inputs are bits.
        features: F; needed where the inputs are bits.
        scaler: mean and scale, (F,): the thermometer gets `(x - mean) / scale`, of float64 rounded to float32.
        permutation: (W,), which node of the last layer is bit i of the sums.
        input_format: codes of x; needed where there are thresholds. Bits are codes of one bit.
        name: the model's.

    Raises:
        NetworkFileError: the arrays are no network, or the input format is missing.
    """
    front = front_of(thresholds, features, scaler)
    if len(connections) != len(tables):
        raise NetworkFileError(
            f"{len(connections)} arrays of connections and {len(tables)} of tables; expected as many"
        )
    network = LayerNetwork(
        connections=tuple(array(f"connections {i}", one, "iu") for i, one in enumerate(connections)),
        tables=tuple(array(f"tables {i}", one, "biuf") for i, one in enumerate(tables)),
        classes=classes,
        tau=tau,
        permutation=None if permutation is None else array("permutation", permutation, "iu"),
        **front,
    )
    model = model_of(network, input_format, name)
    assert isinstance(model, TableNetwork)
    return model


def front_of(thresholds: Any, features: int | None, scaler: tuple[Any, Any] | None) -> dict[str, Any]:
    """The fields of `Network` of arguments as of `from_tables`.

    Raises:
        NetworkFileError: they do not fit together.
    """
    given = None if thresholds is None else array("thresholds", thresholds, "f")
    count = features if given is None else given.shape[0] if given.ndim else 0
    if count is None or (features is not None and features != count):
        raise NetworkFileError(f"features is {features}; expected the number of input bits, or of rows of thresholds")
    scaled = None if scaler is None else (array("mean", scaler[0], "iuf"), array("scale", scaler[1], "iuf"))
    return {"thresholds": given, "features": count, "scaler": scaled}


def model_of(network: Network, input_format: InputFormat | None, name: str) -> GivenNetwork:
    """The model of a network, in eval mode.

    Raises:
        NetworkFileError: the arrays are no network, or the input format is missing.
    """
    if name in MODELS:
        raise NetworkFileError(f"{name!r} is the name of a model of the zoo; give another one with --name (name=)")
    thresholds, order = _ascending(network)
    order = order[_feature_by_feature(network)]
    if network.thresholds is None:
        if network.scaler is not None or input_format is not None:
            raise NetworkFileError("the network's inputs are bits, which have no scaler and no input format")
        input_format = InputFormat(1, divisor=1.0)
    if input_format is None:
        raise NetworkFileError(
            "the integer codes that hardware gets are not known; give --input-bits with --divisor and --offset, or "
            "with --data (input_format= in Python)"
        )
    try:
        model = network.model(
            order,
            name=name,
            input_size=network.features,
            bits=thresholds.shape[1],
            scaled=network.scaler is not None,
            input_format=input_format,
        )
    except ConfigError as error:
        raise NetworkFileError(str(error)) from error
    model.encoder.thresholds = torch.from_numpy(thresholds)
    if network.scaler is not None:
        for buffer, values in zip((model.mean, model.scale), _scaler(network), strict=True):
            buffer.copy_(torch.from_numpy(values))
    model._build()
    network.fill(model, order)
    model.eval()
    return model


def array(what: str, value: Any, kinds: str) -> npt.NDArray[Any]:
    """What was given as an array, a tensor or lists, as a NumPy array of finite numbers of these kinds of dtype.

    Raises:
        NetworkFileError: it is none.
    """
    try:
        array = np.asarray(value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NetworkFileError(f"{what}: no array of numbers ({error!s:.200})") from error
    if array.dtype.kind not in kinds:
        names = {"b": "bool", "i": "integers", "u": "unsigned integers", "f": "floating numbers"}
        expected = " or ".join(names[kind] for kind in kinds)
        raise NetworkFileError(f"{what}: holds {array.dtype}; expected {expected}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NetworkFileError(f"{what}: holds NaN or infinity, which no trained network has; expected finite numbers")
    return array


def _ascending(network: Network) -> tuple[npt.NDArray[np.float32], Ints]:
    """Thresholds float32 (F, z) that ascend, and where each bit of the file's thermometer is now, int64 (F * z,)."""
    if not 1 <= network.features <= MOST["input_size"]:
        raise NetworkFileError(f"the network has {network.features} inputs; expected 1 to {MOST['input_size']}")
    if network.thresholds is None:
        return np.full((network.features, 1), 0.5, np.float32), np.arange(network.features)
    given = network.thresholds
    if given.ndim != 2 or given.shape[1] == 0:
        raise NetworkFileError(f"thresholds are {given.shape}; expected (features, thresholds per feature)")
    rounded = _rounded_down(given)
    order = np.argsort(rounded, axis=1, kind="stable")
    places = np.argsort(order, axis=1, kind="stable") + np.arange(len(given))[:, None] * given.shape[1]
    return np.take_along_axis(rounded, order, axis=1), places.reshape(-1)


def _feature_by_feature(network: Network) -> Ints:
    """int64 (F * z,): of each bit of the network its number f * z + t."""
    bits = 1 if network.thresholds is None else network.thresholds.shape[1]
    numbers = np.arange(network.features * bits)
    if network.planes is None:
        return numbers
    if network.features % network.planes:
        raise NetworkFileError(f"{network.features} features do not split into {network.planes} colours")
    return numbers.reshape(network.planes, -1, bits).transpose(0, 2, 1).reshape(-1)


def _rounded_down(numbers: Floats) -> npt.NDArray[np.float32]:
    """As float32, so that `x > t` stays the same for every float32 x."""
    if not (np.abs(numbers) <= np.finfo(np.float32).max).all():
        raise NetworkFileError("thresholds: some are beyond float32's numbers; scale the features")
    rounded = numbers.astype(np.float32)
    return np.where(rounded > numbers, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _scaler(network: Network) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    assert network.scaler is not None
    mean, scale = (part.astype(np.float64) for part in network.scaler)
    for what, part in (("mean", mean), ("scale", scale)):
        if part.shape != (network.features,):
            raise NetworkFileError(
                f"the scaler's {what} is {part.shape}; expected one of each of {network.features} features"
            )
    if not (scale > 0).all():
        raise NetworkFileError("the scaler's scale is not above 0 everywhere; expected a standard deviation a feature")
    return mean, scale


def checked_layers(network: LayerNetwork, places: Ints) -> tuple[list[Ints], list[npt.NDArray[np.bool_]]]:
    """Connections and tables of each layer, checked; those of the first one on `places`, the last one permuted.

    Raises:
        NetworkFileError: they do not fit together.
    """
    connections, tables = [], []
    width = len(places)
    for number, (wires, entries) in enumerate(zip(network.connections, network.tables, strict=True)):
        if wires.ndim != 2 or entries.ndim != 2 or 0 in wires.shape:
            raise NetworkFileError(
                f"layer {number}: connections {wires.shape} and tables {entries.shape}; expected (nodes, n) and "
                "(nodes, 2**n)"
            )
        nodes, n = wires.shape
        if n > MOST["n"]:
            raise NetworkFileError(f"layer {number}: nodes have {n} inputs; at most {MOST['n']} are supported")
        if entries.shape != (nodes, 1 << n):
            raise NetworkFileError(f"layer {number}: tables are {entries.shape}; expected {(nodes, 1 << n)}")
        if entries.dtype != np.bool_ and not np.isin(entries, (0, 1)).all():
            raise NetworkFileError(f"layer {number}: tables have other values than 0 and 1")
        if not 0 <= int(wires.min()) <= int(wires.max()) < width:
            raise NetworkFileError(
                f"layer {number}: connections from {wires.min()} to {wires.max()}; its {width} input bits are 0 to "
                f"{width - 1}"
            )
        connections.append(wires.astype(np.int64))
        tables.append(entries.astype(np.bool_))
        width = nodes
    if connections:
        connections[0] = places[connections[0]]
    if network.permutation is not None and connections:
        chosen = _permutation(network.permutation, width)
        connections[-1], tables[-1] = connections[-1][chosen], tables[-1][chosen]
    return connections, tables


def _permutation(given: Ints, width: int) -> Ints:
    whole = given.ndim == 1 and given.size and np.array_equal(np.unique(given), np.sort(given))
    if not whole or not 0 <= int(given.min()) <= int(given.max()) < width:
        raise NetworkFileError(
            f"permutation {given.shape}: expected different nodes of the last layer, which has 0 to {width - 1}"
        )
    return given.astype(np.int64)
