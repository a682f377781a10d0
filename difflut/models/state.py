"""State dicts of models: into one that is not fitted, as torch's lazy modules take them, and with the fitted codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from difflut.encoders import Encoder
from difflut.input_format import InputFormat
from difflut.models.fitting import encoders

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel

# The key of the divisors and offsets, float32 (2, features), of a model that fits its codes to the data.
SCALING = "input_scaling"
NEVER_FITTED = (
    "model {!r} is fitted, but the state dict is of one that was not, which has no layers; call "
    "fit_encoder(training_data) of that one before its state_dict()"
)


def adopt(model: BaseModel, state: Mapping[str, Tensor]) -> None:
    """Give a model the shape that a state dict has: thresholds, and with them the layers; what is frozen in it.

    Args:
        model: fitted or not. What does not fit it is left to PyTorch, which says so.
        state: the state dict, keys as of the model itself.
    """
    found = _adopt_thresholds(encoders(model).items(), state)
    if not model.fitted and found:
        model._build()
        _adopt_thresholds(encoders(model).items(), state)
    for name, layer in model.lut_layers():
        if f"{name}.wiring.connections" in state and layer.learnable is not None:
            layer.freeze_connections()
        if f"{name}.nodes.tables" in state and layer.family != "fixed":
            layer.freeze()


def _adopt_thresholds(found: Iterable[tuple[str, Encoder]], state: Mapping[str, Tensor]) -> bool:
    """Make room for the thresholds of encoders that have none; whether the state dict has any."""
    any_here = False
    for name, encoder in found:
        given = state.get(f"{name}.thresholds")
        if given is not None and given.ndim == 2 and len(given) and given.shape[1] == encoder.thresholds_per_feature:
            any_here = True
            if not encoder.fitted:
                encoder.thresholds = encoder.thresholds.new_empty(given.shape)
    return any_here


def never_fitted(model: BaseModel, state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict, keys as of the model itself, is of one whose encoders have no thresholds yet."""
    thresholds = [state[f"{name}.thresholds"] for name in encoders(model) if f"{name}.thresholds" in state]
    return bool(thresholds) and not any(map(len, thresholds))


def scaling_of(form: InputFormat) -> Tensor:
    """Divisors and offsets, float32 (2, features)."""
    return torch.from_numpy(np.stack(np.broadcast_arrays(*form.scaling)))


def format_of(bits: int, scaling: Tensor) -> InputFormat:
    """The codes that `fit_encoder` made, of `scaling_of` them."""
    divisors, offsets = scaling.detach().cpu().float().tolist()
    return InputFormat(bits, False, tuple(divisors), tuple(offsets))
