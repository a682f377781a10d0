"""The model zoo: a registry of named models, and the base class to make more."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar, overload

from difflut.errors import CheckpointError, ConfigError, UnknownNameError
from difflut.models import named
from difflut.models.base_model import BaseModel
from difflut.models.checkpoint import CheckpointHeader, read_header
from difflut.models.cifar10 import CIFAR10Conv
from difflut.models.comparison import COMPARISON_MODELS, MNISTComparison
from difflut.models.convolutions import ConvolutionNetwork
from difflut.models.front import FRONT_MODELS
from difflut.models.fully_connected import FullyConnected
from difflut.models.given import GivenNetwork
from difflut.models.mnist import MNISTDWNSmall, MNISTFullyConnected, MNISTLinearSmall
from difflut.models.netlist import NetlistNetwork
from difflut.models.tables import TableNetwork
from difflut.registry import Registry

__all__ = [
    "KINDS",
    "MODELS",
    "BaseModel",
    "CIFAR10Conv",
    "ConvolutionNetwork",
    "FullyConnected",
    "MNISTComparison",
    "MNISTDWNSmall",
    "MNISTFullyConnected",
    "MNISTLinearSmall",
    "NetlistNetwork",
    "TableNetwork",
    "ZooEntry",
    "get_model",
    "list_models",
    "load_model",
    "make_model",
    "pretrained_info",
    "zoo",
]

MOST_CLASSES = 1 << 16  # that a file may ask for, whatever memory they would take


@dataclass(frozen=True)
class ZooEntry:
    """One named model: what makes it (`num_classes` is optional), what data it is for, one line about it."""

    make: Callable[..., BaseModel]
    dataset: str
    description: str


Model = TypeVar("Model", bound=BaseModel)

MODELS: Registry[ZooEntry] = Registry(
    "model",
    "difflut.models",
    {
        "cifar10_conv": ZooEntry(
            CIFAR10Conv, "cifar10", "3 x 3 convolutions of 32 and 96 kernels with OR pooling, 4,000 nodes; DWN stable"
        ),
        "mnist_fc_8k_dwn": ZooEntry(
            MNISTDWNSmall, "mnist", "2 x 4,000 DWN stable nodes, 6 inputs, first layer learned"
        ),
        "mnist_fc_8k_linear": ZooEntry(
            MNISTLinearSmall, "mnist", "2 x 4,000 linear LUT nodes, 6 inputs, first layer learned"
        ),
        **{name: ZooEntry(make, "mnist", description) for name, (make, description) in COMPARISON_MODELS.items()},
        **{name: ZooEntry(*entry) for name, entry in FRONT_MODELS.items()},
    },
)

# What makes the models that have a kind (`BaseModel.kind`), of the arguments that their checkpoints keep.
KINDS: dict[str, Callable[..., GivenNetwork | FullyConnected]] = {
    "fully_connected": FullyConnected,
    TableNetwork.kind: TableNetwork,
    NetlistNetwork.kind: NetlistNetwork,
    ConvolutionNetwork.kind: ConvolutionNetwork,
}


def zoo() -> dict[str, ZooEntry]:
    """All zoo entries by name."""
    return dict(MODELS)


def list_models() -> list[str]:
    """The names of all zoo models, sorted."""
    return sorted(MODELS)


def get_model(name: str, pretrained: bool = False, *, num_classes: int | None = None) -> BaseModel:
    """A zoo model by name.

    Args:
        name: one of `list_models()`.
        pretrained: load the weights that ship with the package (the model is then in eval mode and frozen:
            `unfreeze()` it to train it further); otherwise the model must be fitted (`fit_encoder`) and trained.
        num_classes: instead of the model's own; there are no weights for another number.

    Raises:
        UnknownNameError: if there is no such model; names the nearest ones.
        ConfigError: if there are no weights for so many classes.
    """
    model = _made(name, num_classes)
    if pretrained:
        classes = MODELS.find(name).make().num_classes
        if model.num_classes != classes:
            raise ConfigError(
                f"the weights of {name!r} that ship with the package are for {classes} classes, not {num_classes}; "
                f"train get_model({name!r}, num_classes={num_classes}) on your data"
            )
        with _weights(name) as path:
            model.load_checkpoint(path)
    return model


def pretrained_info(name: str) -> dict[str, Any]:
    """How the shipped weights of a zoo model were trained and what they reach; reads no weights.

    Raises:
        UnknownNameError: if there is no such model; names the nearest ones.
    """
    MODELS.find(name)
    with _weights(name) as path:
        return read_header(path).info


def make_model(reference: str) -> BaseModel:
    """A model that is not fitted: a zoo name, or a user's own `BaseModel` as `difflut.models.named` finds it.

    Raises:
        UnknownNameError: if there is no such zoo model.
        ConfigError: if what is named cannot be imported, is no model, or needs arguments.
    """
    return named.make(reference) if named.MARK in reference else MODELS.find(reference).make()


@overload
def load_model(reference: str | os.PathLike[str], model_class: Callable[..., Model]) -> Model: ...
@overload
def load_model(reference: str | os.PathLike[str], model_class: str | None = None) -> BaseModel: ...
def load_model(
    reference: str | os.PathLike[str], model_class: str | Callable[..., BaseModel] | None = None
) -> BaseModel:
    """A trained model from a zoo name (the shipped weights) or a checkpoint's path.

    Args:
        reference: a zoo name or the path of a checkpoint.
        model_class: what makes the checkpoint's model if that is not of the zoo: a class, which is called with the
            arguments that the checkpoint keeps, a function without arguments, or what names one: `module:Class`,
            `module:function`, or either of `file.py`.
    """
    reference = os.fspath(reference)
    if reference in MODELS:
        return get_model(reference, pretrained=True)
    path = Path(reference)
    if not path.exists() and os.sep not in reference and path.suffix == "":
        raise UnknownNameError(
            f"unknown model {reference!r}; {MODELS.hint(reference)} (no checkpoint file has this name either)"
        )
    header = read_header(path)
    if header.kind is not None and model_class is None:
        return _of_kind(path, header).load_checkpoint(path)
    if model_class is not None and not isinstance(model_class, str):
        return named.make(model_class, header).load_checkpoint(path)
    name = model_class or header.model
    if named.MARK in name:
        return named.make(name, header).load_checkpoint(path)
    if model_class is None and name not in MODELS:
        raise CheckpointError(
            f"{path}: holds model {name!r}, which is not in the zoo; name its class with --model module:Class"
        )
    kept = header.arguments.kwargs.get("num_classes") if header.arguments else None
    if kept is not None and not (isinstance(kept, int) and 1 <= kept <= MOST_CLASSES):
        raise CheckpointError(f"{path}: has num_classes {kept!a:.60}; a zoo model has from 1 to {MOST_CLASSES}")
    return _made(name, kept).load_checkpoint(path)


def _made(name: str, num_classes: int | None) -> BaseModel:
    make = MODELS.find(name).make
    return make() if num_classes is None else make(num_classes=num_classes)


def _of_kind(path: Path, header: CheckpointHeader) -> BaseModel:
    if header.kind not in KINDS or header.arguments is None:
        raise CheckpointError(
            f"{path}: a model of the kind {header.kind!a:.60}; expected {' or '.join(KINDS)}, and its arguments"
        )
    try:
        args, kwargs = header.arguments.call()
        model = KINDS[header.kind](*args, **kwargs)
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its arguments make no network ({error!s:.300})") from error
    nodes, file_bytes = model.claims, path.stat().st_size
    if nodes > file_bytes:  # before they are allocated
        raise CheckpointError(
            f"{path}: its arguments claim {nodes} nodes, for which its {file_bytes} bytes have no room"
        )
    return model


def _weights(name: str) -> AbstractContextManager[Path]:
    return as_file(files("difflut.models.pretrained") / f"{name}.safetensors")
