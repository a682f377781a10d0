"""dwn2rtl (0.3): a dictionary of a torch_dwn state dict, its thermometer, its scaler and its configuration.

Source: dwn2rtl 0.3.0, its module checkpoint. Besides what `dwn2rtl.save` writes, a dictionary of a "model", which is a
state dict, and a "thermometer" is read; a module in its place is a pickle. Thresholds are compared as float32, with
scaled features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.importers import torch_dwn
from difflut.importers.contents import Content, array_of, mapping_of
from difflut.importers.importer import Importer
from difflut.importers.network import Network
from difflut.importers.said import Said, network_of

_STATES = ("state_dict", "model")


def recognises(content: Content) -> bool:
    """Whether a file is a dictionary with a state dict and a thermometer."""
    value = content.value
    return content.container == "torch" and isinstance(value, Mapping) and any(key in value for key in _STATES)


def read(content: Content, said: Said) -> Network:
    """The network of a file of a dictionary."""
    saved = mapping_of(content, "what was saved", content.value)
    states = [key for key in _STATES if key in saved]
    if len(states) != 1:
        raise content.refuse("has no state dict, or two; expected one under 'state_dict' or 'model'")
    state = mapping_of(content, f"its {states[0]!r}", saved[states[0]])
    layers = torch_dwn.layers_of(content, state)
    thresholds = _thresholds(content, saved.get("thermometer"))
    config = mapping_of(content, "its 'config'", saved.get("config", {}))
    for what, true in (("n", layers[0][0].shape[1]), ("layers", [len(one) for one in layers[0]])):
        given = _plain(content, what, config.get(what))
        if given is not None and given != true:
            raise content.refuse(f"its config says {what} {given!a:.80}, and its tables are of {true}")
    bits = _plain(content, "thermometer_bits", config.get("thermometer_bits"))
    if thresholds is not None and bits is not None and bits != thresholds.shape[1]:
        turned = "; they are transposed" if thresholds.shape[0] == bits else ""
        raise content.refuse(f"its thresholds are {thresholds.shape}, expected (features, {bits!a:.40}){turned}")
    width = torch_dwn.input_width(content, state)
    if thresholds is not None and width is not None and width != thresholds.size:
        raise content.refuse(
            f"its first layer is made for {width} bits, its thermometer {thresholds.shape} gives {thresholds.size}: "
            "they are not of one training"
        )
    return network_of(
        content,
        said,
        layers,
        classes=_number(content, "num_classes", config.get("num_classes"), (int,)),
        tau=_number(content, "tau", config.get("tau"), (int, float)),
        thresholds=thresholds,
        scaler=_scaler(content, saved.get("scaler")),
    )


def _thresholds(content: Content, thermometer: Any) -> npt.NDArray[np.float32] | None:
    if thermometer is None:
        return None
    if isinstance(thermometer, Mapping):
        thermometer = mapping_of(content, "its 'thermometer'", thermometer).get("thresholds")
    thresholds = array_of(content, "thermometer.thresholds", thermometer)
    if thresholds.dtype.kind != "f" or thresholds.ndim != 2 or 0 in thresholds.shape:
        raise content.refuse(
            f"its thresholds are {thresholds.dtype} {thresholds.shape}; expected floating (features, bits per feature)"
        )
    with np.errstate(over="ignore"):
        return thresholds.astype(np.float32)


def _plain(content: Content, what: str, value: Any) -> Any:
    """None, an integer, or a list of integers, of which there may also be a tuple."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    if value is not None and not all(type(entry) is int for entry in entries):
        raise content.refuse(f"its config says {what} {value!a:.80}; expected integers")
    return list(value) if isinstance(value, tuple) else value


def _number(content: Content, what: str, value: Any, kinds: tuple[type, ...]) -> Any:
    if value is not None and type(value) not in kinds:
        raise content.refuse(f"its {what} is {value!a:.80}; expected a number")
    return value


def _scaler(content: Content, scaler: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
    """Mean and scale, tensors or lists of numbers."""
    if scaler is None:
        return None
    parts = mapping_of(content, "its 'scaler'", scaler)
    found = []
    for what in ("mean", "scale"):
        value = parts.get(what)
        if isinstance(value, (list, tuple)) and all(type(one) in (int, float) for one in value):
            value = np.array([float(one) if abs(one) < 1e300 else np.inf for one in value], np.float64)
        found.append(array_of(content, f"scaler.{what}", value))
    return found[0], found[1]


IMPORTER = Importer(
    "dictionary of dwn2rtl: torch_dwn's state dict, thermometer, scaler", recognises, read, torch_dwn.TAKES
)
