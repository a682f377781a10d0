"""What is in a file of a network, read without running anything that the file names."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.serialization import safe_globals
from torch.torch_version import TorchVersion

from difflut.errors import NetworkFileError
from difflut.reading import parse_json, read_npz, utf8_name

_PICKLED = """{path}: holds pickled Python objects ({found}), which could run any code and are never loaded. Where you \
trust the file, save what a network is made of:
  net = torch.load({file!r}, weights_only=False)
  {save}"""
_LONGEST_LINE, _MOST_COMMENTS, _LONGEST_TEXT = 1 << 16, 1 << 12, 1 << 30
_VERILOG, _LAYER_FILE = re.compile(rb"\s*(module\b|//|/\*|`timescale)"), re.compile(r"layer\d{1,4}(_N\d{1,6})?\.v")
_SAVE_MODULE = 'torch.save(net.state_dict(), "state.pt")'
SAVE_INDICES = (
    'torch.save(net.state_dict() | {f"{name}.indices": torch.stack(tuple(module.indices)) for name, module in '
    'net.named_modules() if isinstance(getattr(module, "indices", None), (tuple, torch.Tensor))}, "state.pt")'
)
_OF_INDICES = (b"difflogic", b"llnn", b"lutnn", b"difflut_net")  # libraries whose state dicts lack the connections
_SAVE_DICTIONARY = (
    'torch.save({"model": net["model"].state_dict(), "thermometer": {"thresholds": net["thermometer"].thresholds}}, '
    '"state.pt")'
)


@dataclass(frozen=True, eq=False)
class Content:
    """A file that was read.

    Attributes:
        path: of the file.
        container: "torch", "safetensors", "npz", "json", "blif" or "logicnets" (texts) or "aiger" (bytes).
        value: arrays by name of an npz file, tensors of safetensors, a dictionary of JSON, of torch whatever was saved:
            tensors, numbers and texts in dictionaries and lists.
    """

    path: Path
    container: str
    value: Any

    def refuse(self, text: str) -> NetworkFileError:
        """An error about this file."""
        return NetworkFileError(f"{self.path}: {text}")


def read_content(file: str | os.PathLike[str]) -> Content:
    """Read a file by what it begins with.

    Raises:
        NetworkFileError: there is none, it is of none of the known kinds, damaged, or holds pickled objects.
    """
    path = Path(file)
    if not path.is_file():
        raise NetworkFileError(f"{path}: no such file; expected a network of another library")
    with open(path, "rb") as opened:
        start = opened.read(16)
    if start.startswith(b"PK"):
        members = _members(path)
        if any(name.endswith(".npy") for name in members):
            return Content(path, "npz", _npz(path, members))
        return Content(path, "torch", _torch(path))
    if start.startswith((b"aag ", b"aig ")):
        return Content(path, "aiger", _bytes(path))
    if _VERILOG.match(start):
        return Content(path, "logicnets", _verilog(path))
    if _begins_blif(path):
        return Content(path, "blif", _bytes(path).decode("utf-8", "surrogateescape"))
    if start.lstrip().startswith(b"{") and b"\0" not in start:
        return Content(path, "json", _json(path))
    if start[8:9] == b"{":
        return Content(path, "safetensors", _safetensors(path))
    if start.startswith(b"\x80"):
        found = "a pickle, or a file of PyTorch before 1.6"
        raise NetworkFileError(_PICKLED.format(path=path, file=str(path), found=found, save=_SAVE_MODULE))
    raise NetworkFileError(
        f"{path}: neither a file of torch.save, nor safetensors, npz, JSON, BLIF or AIGER; expected a network in one "
        "of these"
    )


def _begins_blif(path: Path) -> bool:
    """Whether the first line that is no comment begins a model."""
    with open(path, "rb") as file:
        for line in islice(iter(partial(file.readline, _LONGEST_LINE), b""), _MOST_COMMENTS):
            if line.strip() and not line.lstrip().startswith(b"#"):
                return line.split()[0] in (b".model", b".search")
    return False


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > _LONGEST_TEXT:
        raise NetworkFileError(f"{path}: has {path.stat().st_size} bytes; at most {_LONGEST_TEXT} are read")
    return path.read_bytes()


def _verilog(path: Path) -> str:
    """The text of a file and of the layers of a LogicNet that stand beside it."""
    beside = sorted(file for file in path.parent.iterdir() if _LAYER_FILE.fullmatch(file.name) and file.is_file())
    files = [path, *(file for file in beside if not file.samefile(path))]
    if sum(file.stat().st_size for file in files) > _LONGEST_TEXT:
        raise NetworkFileError(f"{path}: has more than {_LONGEST_TEXT} bytes with the layers beside it")
    return "\n".join(file.read_bytes().decode("utf-8", "replace") for file in files)


def _members(path: Path) -> list[str]:
    """The names in a zip archive, which is not larger unpacked than a file of its size may be."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise NetworkFileError(f"{path}: a damaged archive ({_first_line(error)}); expected a whole file") from error
    names = [info.filename for info in infos]
    stored = all(info.compress_type == zipfile.ZIP_STORED for info in infos)
    is_npz = any(name.endswith(".npy") for name in names)
    if not is_npz and (not stored or sum(info.file_size for info in infos) > path.stat().st_size):
        raise NetworkFileError(f"{path}: a compressed archive; expected a file as torch.save writes it")
    return names


def _npz(path: Path, members: list[str]) -> dict[str, npt.NDArray[Any]]:
    try:
        return read_npz(path, [name.removesuffix(".npy") for name in members])
    except ValueError as error:
        raise NetworkFileError(
            f"{path}: not a readable npz file ({_first_line(error)}); expected arrays of numbers"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(_bytes(path))
    except (ValueError, OSError) as error:
        raise NetworkFileError(f"{path}: not readable JSON ({_first_line(error)}); expected a whole file") from error
    if not isinstance(value, dict):
        raise NetworkFileError(f"{path}: JSON of a {type(value).__name__}; expected an object")
    return value


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with utf8_name(path) as name, safe_open(name, framework="pt") as file:
            if "difflut" in (file.metadata() or {}):
                raise NetworkFileError(f"{path}: is a checkpoint of difflut already; use it as it is")
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no iterator)
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise NetworkFileError(f"{path}: not a readable safetensors file ({_first_line(error)})") from error


def _torch(path: Path) -> Any:
    try:
        with safe_globals([TorchVersion]):  # a text, which files of real networks hold
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever PyTorch's unpickler raises on a file that anybody may have written
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise NetworkFileError(f"{path}: not a readable file of torch.save ({_first_line(error)})") from error
        raw = path.read_bytes()
        save = _SAVE_DICTIONARY if b"thermometer" in raw else _SAVE_MODULE
        if any(name in raw for name in _OF_INDICES):
            save = SAVE_INDICES
        raise NetworkFileError(_PICKLED.format(path=path, file=str(path), found=named[1], save=save)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0][:200]


def array_of(content: Content, what: str, value: Any) -> npt.NDArray[Any]:
    """A tensor or an array of a file, as an array of finite numbers; half precisions as float32.

    Raises:
        NetworkFileError: it is none.
    """
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_quantized or value.is_meta or value.is_complex():
            raise content.refuse(f"{what!a:.80} is a tensor of {value.dtype}, {value.layout}; expected plain numbers")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise content.refuse(f"{what!a:.80} claims {tuple(value.shape)} numbers, more than the file holds")
        value = value.detach()
        value = (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
    if not isinstance(value, np.ndarray):
        raise content.refuse(f"{what!a:.80} is a {type(value).__name__}; expected a tensor")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise content.refuse(f"{what!a:.80} has NaN or infinity, which no trained network has")
    return value


def mapping_of(content: Content, what: str, value: Any) -> Mapping[str, Any]:
    """A dictionary of a file whose keys are texts.

    Raises:
        NetworkFileError: it is none.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise content.refuse(f"{what} is a {type(value).__name__}; expected a dictionary with texts as keys")
    return value
