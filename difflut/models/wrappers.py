"""Wrappers of PyTorch and Lightning around a model: where a model is taken, it is the model inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from difflut.errors import ConfigError
from difflut.models.base_model import BaseModel

F = TypeVar("F", bound=Callable[..., Any])


def unwrap(model: Any) -> BaseModel:
    """The model in `torch.compile(model)`, DataParallel, DistributedDataParallel, AveragedModel or a LightningModule.

    Of an AveragedModel it is the averaged one. Other modules may compute something before or behind the model, which
    would be lost.

    Raises:
        ConfigError: it is none of these, or a LightningModule with no model or several.
    """
    given, inside = model, model
    while not isinstance(inside, BaseModel):
        following = _inside(inside)
        if following is None:
            raise ConfigError(
                f"got a {type(given).__name__}; expected a difflut.BaseModel, or one in torch.compile, DataParallel, "
                f"DistributedDataParallel, AveragedModel or a LightningModule of one model{_hint(inside)}"
            )
        inside = following
    return inside


def _inside(module: Any) -> nn.Module | None:
    if isinstance(module, (DataParallel, DistributedDataParallel, AveragedModel)):
        return cast(nn.Module, module.module)
    compiled = getattr(module, "_orig_mod", None)  # torch.compile's wrapper has no public name
    if isinstance(compiled, nn.Module):
        return compiled
    if isinstance(module, nn.Module) and any(kind.__name__ == "LightningModule" for kind in type(module).__mro__):
        models = _models(module)
        return models[0] if len(models) == 1 else None
    return None


def _models(module: nn.Module) -> list[BaseModel]:
    return [one for one in module.modules() if isinstance(one, BaseModel)]


def _hint(module: Any) -> str:
    if not isinstance(module, nn.Module):
        return ""
    names = [name for name, one in module.named_modules() if isinstance(one, BaseModel)]
    return f"; give {' or '.join(f'your_module.{name}' for name in names)}" if names else ""


def takes_wrapped(function: F) -> F:
    """Let a function whose first argument is a model take it in a wrapper, too."""

    @wraps(function)
    def unwrapped(model: Any, *args: Any, **kwargs: Any) -> Any:
        return function(unwrap(model), *args, **kwargs)

    return cast(F, unwrapped)
