"""A model's constructor call as JSON, so that a checkpoint can say how its model is made.

Every value that is not plain is an object with one key, its kind: `{"tuple": [...]}`, `{"dict": [[key, value], ...]}`,
or a class of difflut with its fields, such as `{"InputFormat": {"width_bits": 4, ...}}`. Nothing else is kept, and
nothing that a file names is imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec
from msgspec import Struct

from difflut.input_format import InputFormat
from difflut.layers.config import LayerConfig

Call = tuple[tuple[Any, ...], dict[str, Any]]

_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in (InputFormat, LayerConfig)}


class NotKept(ValueError):
    """An argument has no JSON; the text says which one."""


class Arguments(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The arguments of a constructor, by position and by name, each as JSON."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}

    @classmethod
    def of(cls, call: Call) -> Arguments:
        """Those of a call.

        Raises:
            NotKept: an argument is of a kind that is not kept.
        """
        args = tuple(_encode(f"argument {place}", value) for place, value in enumerate(call[0], 1))
        return cls(args, {name: _encode(f"argument {name!r}", value) for name, value in sorted(call[1].items())})

    def call(self) -> Call:
        """The call that they are of.

        Raises:
            ValueError: a value is of no kind that `of` writes.
        """
        return tuple(map(_decode, self.args)), {name: _decode(value) for name, value in self.kwargs.items()}


def _encode(where: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)) or (type(value) is int and -(1 << 63) <= value < 1 << 63):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if type(value) is list:
        return [_encode(where, item) for item in value]
    if type(value) is tuple:
        return {"tuple": [_encode(where, item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_encode(where, key), _encode(where, item)] for key, item in value.items()]}
    name = type(value).__name__
    if _CLASSES.get(name) is type(value):
        return {name: {field.name: _encode(where, getattr(value, field.name)) for field in fields(value)}}
    raise NotKept(f"{where} is of type {name}")


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"an argument with the keys {sorted(value)}; expected one key, its kind")
    [(kind, content)] = value.items()
    if kind == "tuple":
        return tuple(map(_decode, msgspec.convert(content, list[Any])))
    if kind == "dict":
        return {_decode(key): _decode(item) for key, item in msgspec.convert(content, list[tuple[Any, Any]])}
    if kind not in _CLASSES:
        raise ValueError(f"an argument of the kind {kind!a:.60}; expected tuple, dict or {', '.join(_CLASSES)}")
    return _CLASSES[kind](**{name: _decode(item) for name, item in msgspec.convert(content, dict[str, Any]).items()})
