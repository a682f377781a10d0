"""Checkpoints: one safetensors file with the tensors of a trained model and a header of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from difflut import reading
from difflut.data_names import DataNames
from difflut.encoders import Encoder
from difflut.errors import CheckpointError, ConfigError
from difflut.input_format import InputFormat
from difflut.models.arguments import Arguments, NotKept
from difflut.models.fitting import encoders
from difflut.models.state import SCALING

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel

# Version 1 had no input format: it was the model's own. Version 3 is written only for models that have a kind.
FORMAT_VERSION = 2
KIND_VERSION = 3
READ_VERSIONS = (1, 2, 3)
_LISTED = ", ".join(map(str, READ_VERSIONS[:-1])) + f" and {READ_VERSIONS[-1]}"


class CheckpointHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a checkpoint says beside its tensors.

    Attributes:
        format_version: one of `READ_VERSIONS`.
        model: the name of the model.
        layers: the node family of each LUT layer, "fixed" where its tables are given.
        info: what its training left: JSON of any shape, without NaN.
        input_format: what its input codes stand for; None in version 1, where it is the model's own.
        arguments: those that the model's constructor was called with; None if some are not kept, or in version 1.
        not_kept: which argument is not kept, None if all are.
        names: of features and classes, None if there are none.
        kind: of a model that difflut makes from the arguments, whatever its name; see `BaseModel.kind`.
    """

    format_version: int
    model: str
    layers: dict[str, str]
    info: dict[str, Any]
    input_format: InputFormat | None = None
    arguments: Arguments | None = None
    not_kept: str | None = None
    names: DataNames | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        if (self.format_version == 1) != (self.input_format is None):
            raise ValueError("from version 2 on, and only then, a header has an input_format")
        if (self.format_version == KIND_VERSION) != (self.kind is not None):
            raise ValueError(f"a header of version {KIND_VERSION}, and no other, has a kind")


def to_bytes(model: BaseModel, *, frozen: bool = False) -> bytes:
    """The checkpoint of a fitted model; see `BaseModel.save_checkpoint`."""
    tensors: dict[str, Tensor] = {}
    layers = {}
    for name, layer in model.lut_layers():
        keep_tables = frozen or layer.family == "fixed"
        layers[name] = "fixed" if keep_tables else layer.family
        wide = layer.in_width > 1 << 15
        tensors[f"{name}.connections"] = layer.connections.to(torch.int32 if wide else torch.int16)
        if keep_tables:
            packed = np.packbits(layer.truth_tables().cpu().numpy(), axis=1, bitorder="little")
            tensors[f"{name}.nodes.packed_tables"] = torch.from_numpy(packed)
    kept_otherwise = {
        id(tensor)
        for name, layer in model.lut_layers()
        for part in (layer.wiring, *([layer.nodes] if layers[name] == "fixed" else []))
        for tensor in (*part.parameters(), *part.buffers())
    }
    shared = shared_keys(model)
    for key, value in model.state_dict(keep_vars=True).items():
        if key not in shared and key != SCALING and id(value) not in kept_otherwise:
            tensors[key] = value
    # Copies: tensors may be views of the same memory, which safetensors refuses.
    contiguous = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    # One metadata entry: safetensors writes several in no fixed order, and equal models must give equal bytes.
    return bytes(save(contiguous, {"difflut": _header(model, layers)}))


def _header(model: BaseModel, layers: Mapping[str, str]) -> str:
    content = {
        "format_version": FORMAT_VERSION,
        "model": model.name,
        "input_format": model.input_format.to_json(),
        "layers": dict(layers),
        "info": model.info,
    }
    if model.kind is not None:
        content |= {"format_version": KIND_VERSION, "kind": model.kind}
    if model.names is not None:
        content["names"] = msgspec.to_builtins(model.names)
    try:
        content["arguments"] = msgspec.to_builtins(Arguments.of(model.constructor_call))
    except NotKept as error:
        content["not_kept"] = str(error)
    header = json.dumps(content, sort_keys=True)
    try:
        reading.parse_json(header)  # what is written can be read
    except ValueError as error:
        raise ConfigError(
            f"model {model.name!r}: its info cannot be saved ({error}); expected JSON without NaN, infinity and "
            "integers of more than 64 bits"
        ) from error
    return header


def shared_keys(model: nn.Module) -> dict[str, str]:
    """For each key of the state dict whose tensor has an earlier key too, that first key: a tensor is stored once."""
    first: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {key: known for key, value in state.items() if (known := first.setdefault(id(value), key)) != key}


def restore(model: BaseModel, tensors: dict[str, Tensor], header: CheckpointHeader) -> None:
    """Give a model, not fitted yet, the layers and values of a checkpoint.

    Raises:
        ValueError: they do not fit the model.
    """
    layers = header.layers
    if header.input_format is not None:
        if header.input_format.features not in (None, model.input_size):
            raise ValueError(f"its input format has {header.input_format.features} features, not {model.input_size}")
        model.input_format = header.input_format
    if header.names is not None:
        model.names = header.names
    fitted = _restore_thresholds(model, tensors, {})
    model._build()
    _restore_thresholds(model, tensors, fitted)
    modules = dict(model.lut_layers())
    if set(modules) != set(layers):
        raise ValueError(f"LUT layers {sorted(layers)} in the file, {sorted(modules)} in the model")
    for name, layer in modules.items():
        layer.freeze_connections()
        connections = _checked(tensors, f"{name}.connections", (layer.out_width, layer.n), (torch.int16, torch.int32))
        if not 0 <= int(connections.min()) <= int(connections.max()) < layer.in_width:
            raise ValueError(f"connections of layer {name} point outside its {layer.in_width} input bits")
        del tensors[f"{name}.connections"]
        tensors[f"{name}.wiring.connections"] = connections.long()
        if layers[name] == "fixed":
            layer.freeze()
            key, entries = f"{name}.nodes.packed_tables", 1 << layer.n
            packed = _checked(tensors, key, (layer.out_width, -(-entries // 8)), (torch.uint8,))
            del tensors[key]
            tables = np.unpackbits(packed.numpy(), axis=1, count=entries, bitorder="little")
            tensors[f"{name}.nodes.tables"] = torch.from_numpy(tables).bool()
        elif layer.family == "fixed":  # it was unfrozen after it was made
            layer.unfreeze(layers[name])
        elif layers[name] != layer.family:
            raise ValueError(f"nodes of {layers[name]!r} in layer {name}, expected {layer.family!r}")
    for key, known in shared_keys(model).items():
        if key not in tensors and known in tensors:
            tensors[key] = tensors[known]
    # load_state_dict would convert other dtypes without a word.
    for key, value in model.state_dict().items():
        if key != SCALING:  # is in the header's input format
            _checked(tensors, key, tuple(value.shape), (value.dtype,))
    model.load_state_dict(tensors)


def _restore_thresholds(
    model: BaseModel, tensors: Mapping[str, Tensor], done: dict[str, Encoder]
) -> dict[str, Encoder]:
    """Give thresholds to the encoders that are not `done` yet; all encoders by name."""
    found = encoders(model)
    for name, encoder in found.items():
        if name in done and done[name] is encoder:
            continue
        key = f"{name}.thresholds"
        features = len(tensors[key]) if key in tensors and tensors[key].ndim else 1
        thresholds = _checked(tensors, key, (max(1, features), encoder.thresholds_per_feature))
        if bool((thresholds.diff(dim=1) < 0).any()):
            raise ValueError(f"{key} descend; expected ascending ones")
        encoder.thresholds = thresholds
    return found


def _checked(
    tensors: Mapping[str, Tensor], key: str, shape: tuple[int, ...], dtypes: Sequence[torch.dtype] = (torch.float32,)
) -> Tensor:
    """A tensor of a file if it has this shape, one of these dtypes, and finite values."""
    if key not in tensors:
        raise ValueError(f"it has no tensor {key}")
    tensor = tensors[key]
    if tuple(tensor.shape) != shape or tensor.dtype not in dtypes:
        kinds = " or ".join(map(str, dtypes))
        raise ValueError(f"{key} is {tensor.dtype} {tuple(tensor.shape)}, expected {kinds} {shape}")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{key} has values that are not finite")
    return tensor


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[CheckpointHeader, dict[str, Tensor]]:
    """The header and the tensors of a checkpoint file.

    Raises:
        CheckpointError: if the file is missing, unreadable, or not a difflut checkpoint.
    """
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no iterator)
        text = (file.metadata() or {}).get("difflut")
    return _parse_header(path, text), tensors


def read_header(path: str | os.PathLike[str]) -> CheckpointHeader:
    """The header alone, without reading a tensor; see `read_checkpoint`."""
    with _opened(path) as file:
        text = (file.metadata() or {}).get("difflut")
    return _parse_header(path, text)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    if not Path(path).is_file():
        raise CheckpointError(
            f"{path}: no such file; expected a checkpoint written by save_checkpoint or `difflut train`"
        )
    try:
        with reading.utf8_name(path) as name, safe_open(name, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error!s:.300}); expected a difflut checkpoint, which "
            "`difflut import` makes of a network of another library"
        ) from error


def _parse_header(path: str | os.PathLike[str], text: str | None) -> CheckpointHeader:
    if text is None:
        raise CheckpointError(
            f"{path}: a safetensors file, but not a difflut checkpoint (it has no difflut header); "
            "`difflut import` makes one of a network of another library"
        )
    try:
        content = reading.parse_json(text)
        version = content.get("format_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version not in READ_VERSIONS:
            raise CheckpointError(
                f"{path}: checkpoint format {version}, this difflut reads {_LISTED}; use "
                "the version of difflut that wrote it"
            )
        header = msgspec.convert(content, CheckpointHeader)
        # Of a dataclass msgspec passes over other keys, and takes the default for one that is missing.
        if header.input_format is not None and set(content["input_format"]) != set(header.input_format.to_json()):
            raise ValueError(f"input_format has {sorted(content['input_format'])}")
        return header
    except (ValueError, msgspec.ValidationError) as error:
        raise CheckpointError(
            f"{path}: its difflut header is damaged ({error}); expected a checkpoint written by save_checkpoint"
        ) from error
