"""Models that a user names as code: `module:Class`, `module:function`, `./file.py:Class`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from difflut.errors import CheckpointError, ConfigError
from difflut.models.base_model import BaseModel
from difflut.models.checkpoint import CheckpointHeader

MARK = ":"


def find(reference: str) -> Callable[..., BaseModel]:
    """The class, or the function without arguments that makes a model, of `module:name` or `file.py:name`.

    Raises:
        ConfigError: it cannot be imported, or is neither.
    """
    place, _, name = reference.rpartition(MARK)
    try:
        found: Any = getattr(_import_file(Path(place)) if place.endswith(".py") else _import_named(place), name)
    except (ImportError, AttributeError, ValueError, OSError, SyntaxError) as error:
        raise ConfigError(
            f"cannot load model {reference!r}: {error}; expected an importable module:Class, installed, in the "
            "working directory or where PYTHONPATH says, or file.py:Class"
        ) from error
    return _factory(found, reference)


def _factory(found: Any, called: str) -> Callable[..., BaseModel]:
    if isinstance(found, type):
        if not issubclass(found, BaseModel):
            raise ConfigError(f"{called!r} is not a subclass of difflut.models.BaseModel")
    elif not callable(found):
        raise ConfigError(f"{called!r} is neither a class of models nor a function that makes one")
    return cast(Callable[..., BaseModel], found)


def make(reference: str | Callable[..., BaseModel], header: CheckpointHeader | None = None) -> BaseModel:
    """A model that is not fitted, of a class or function, or of the one that `find` finds; a class is called with the
    arguments that the header of a checkpoint has.

    Raises:
        ConfigError: it cannot be made.
        CheckpointError: the checkpoint does not have the arguments, or has others than the class takes.
    """
    if isinstance(reference, str):
        factory = find(reference)
    else:
        called = getattr(reference, "__qualname__", type(reference).__name__)
        factory, reference = _factory(reference, called), called
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if header is not None and isinstance(factory, type):
        if header.not_kept is not None and signature(factory).parameters:
            raise CheckpointError(
                f"{reference}: the checkpoint was made by a model whose constructor was called with what no checkpoint "
                f"keeps: {header.not_kept}; name a function that makes the model, module:function"
            )
        args, kwargs = header.arguments.call() if header.arguments is not None else (args, kwargs)
    try:
        made = factory(*args, **kwargs)
    except TypeError as error:
        raise ConfigError(
            f"{reference}: cannot be made: {error}; name a function without arguments that makes the model, "
            "module:function"
        ) from error
    if not isinstance(made, BaseModel):
        raise ConfigError(f"{reference!r} gives a {type(made).__name__}; expected a difflut.models.BaseModel")
    return made


def _import_named(module: str) -> ModuleType:
    """Import a module that the user named as code.

    If only the working directory has it, that is searched from then on, after all else: the module may import its
    neighbours, now or when its functions run.
    """
    name = module.partition(".")[0]
    importlib.invalidate_caches()
    if find_spec(name) is None:
        here = os.getcwd()
        if PathFinder.find_spec(name, [here]) is not None:
            sys.path.append(here)
    return importlib.import_module(module)


def _import_file(file: Path) -> ModuleType:
    """Run a file as a module of its own name; its folder is searched from then on, after all else."""
    place = file.resolve(strict=True)
    known = sys.modules.get(place.stem)
    if known is not None:
        if getattr(known, "__file__", None) == str(place):
            return known
        raise ImportError(f"another module {place.stem!r} is imported already; rename the file")
    spec = spec_from_file_location(place.stem, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no file of Python")
    if str(place.parent) not in sys.path:
        sys.path.append(str(place.parent))
    module = sys.modules[place.stem] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[place.stem]
        raise
    return module
