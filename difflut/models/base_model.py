"""The base class of every model: input handling, the life cycle of encoder and layers, checkpoints."""

from __future__ import annotations

import copy
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from difflut.data import samples_of, tensor_of
from difflut.data_names import DataNames
from difflut.encoders import DistributiveThermometer, Encoder
from difflut.encoders.fitting import EncoderReport
from difflut.errors import CheckpointError, ConfigError, InputShapeError, LostFeatureWarning, NotFittedError
from difflut.files import write_atomically
from difflut.heads import Head, Heads
from difflut.input_format import InputFormat
from difflut.layers import LUTGraph, LUTLayer
from difflut.models import checkpoint, state
from difflut.models.fitting import encoders, fit_encoders

if TYPE_CHECKING:
    from typing_extensions import Self

    from difflut.training.recipes import Recipe


class BaseModel(nn.Module, ABC):
    """A network of LUT layers from numbers to logits.

    A subclass sets `self.encoder` (optional; there may be more encoders, also inside of modules) in its `__init__` and
    defines `_build_layers`, which is called once the encoders are fitted and `self.encoder.output_width` is known, and
    `_forward_impl`. Nothing in it is about export: a forward made of encoders, `LUTLayer`s, `GroupSum` and data
    movement (reshape, permute, cat, index, pad) has a circuit.

    Args:
        name: the model's name; it becomes the top module of an export.
        input_size: the number of input features of one sample.
        num_classes: the number of classes, or of what else the heads give: columns of the logits.
        input_shape: the shape of one sample as `_forward_impl` gets it; (input_size,) by default.
        input_format: the integer codes that hardware receives; 8-bit pixels, x = code / 255, by default.
        input_bits: instead of a format: codes of so many bits, which `fit_encoder` fits to each feature's range.

    Attributes:
        kind: of a class of difflut's whose models have names of their own: under it `difflut.models.KINDS` makes the
            model of a checkpoint; None for every other class.
        recipe: how `difflut train` trains the model; None for that of its name, or the default. A subclass may set it,
            and define `training_loss`, `make_optimizer` and `metrics`.
        encoder_report: which bits of the encoder are constant in the training data; None before `fit_encoder`.
    """

    encoder: Encoder
    kind: ClassVar[str | None] = None
    recipe: ClassVar[Recipe | None] = None
    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """As object's; a subclass may have a constructor of its own, whose arguments `made_again` takes."""
        model = super().__new__(cls)
        object.__setattr__(model, "_made_with", (args, kwargs))
        return model

    def __init__(
        self,
        name: str,
        input_size: int,
        num_classes: int,
        *,
        input_shape: Sequence[int] | None = None,
        input_format: InputFormat | None = None,
        input_bits: int | None = None,
    ) -> None:
        super().__init__()
        shape = tuple(input_shape) if input_shape is not None else (input_size,)
        if input_size < 1 or num_classes < 1:
            raise ConfigError(f"model {name!r}: input_size {input_size} and num_classes {num_classes} must be positive")
        if int(np.prod(shape)) != input_size:
            raise ConfigError(f"model {name!r}: input_shape {shape} does not have input_size = {input_size} elements")
        self.name = name
        self.input_size = input_size
        self.num_classes = num_classes
        self.input_shape = shape
        if input_format is not None and input_bits is not None:
            raise ConfigError(f"model {name!r}: has an input_format and input_bits; give one of them")
        if input_format is not None and input_format.features not in (None, input_size):
            raise ConfigError(
                f"model {name!r}: its input format is made for {input_format.features} features, its input_size is "
                f"{input_size}"
            )
        self.input_bits = input_bits
        self.input_format = input_format or InputFormat(8 if input_bits is None else input_bits)
        self._names: DataNames | None = None
        self.encoder_report: EncoderReport | None = None
        self.encoder = DistributiveThermometer(bits=3)
        self.info: dict[str, Any] = {}
        self._built = False

    @abstractmethod
    def _build_layers(self) -> None:
        """Create the layers; the encoder is fitted, `self.encoder.output_width` is known."""

    @abstractmethod
    def _forward_impl(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) from float32 numbers (N, *input_shape)."""

    def training_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What training makes small, a scalar: the sum of the losses of the heads, the cross-entropy of one `GroupSum`.

        Args:
            logits: float32 (N, num_classes); of several heads what the forward returned.
            labels: int64 (N,), or targets (N, targets).
        """
        return self.output_heads.loss(logits, labels)

    def make_optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        """What trains the parameters: Adam. The recipe's schedule scales the rates that its groups start with.

        Args:
            learning_rate: the recipe's, at the peak.
        """
        return torch.optim.Adam(self.parameters(), lr=learning_rate, fused=True)

    def metrics(self) -> Mapping[str, Callable[[Tensor, Tensor], Tensor | float]]:
        """Figures besides the accuracy that are measured on the test samples after training, by name: none.

        Each takes logits float32 (N, num_classes), those of several heads side by side, and labels int64 (N,), or
        targets (N, targets), as the metrics of torchmetrics do.
        """
        return {}

    @property
    def fitted(self) -> bool:
        """Whether the model has been fitted or loaded, so that it can be called."""
        return self._built

    @property
    def names(self) -> DataNames | None:
        """What features and classes are called; None if it is not known.

        Raises:
            ConfigError: when they are set, and are of another number than features and classes.
        """
        return self._names

    @names.setter
    def names(self, names: DataNames | None) -> None:
        if names is not None:
            names.check(self.input_size, self.num_classes)
        self._names = names

    @property
    def constructor_call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments that the model was made with, by position and by name."""
        return self._made_with

    if TYPE_CHECKING:  # torch declares that a call gives Any

        def __call__(self, x: Any) -> Tensor: ...

    def made_again(self) -> Self:
        """A new model, not fitted, of the same constructor call."""
        args, kwargs = copy.deepcopy(self._made_with)
        return type(self)(*args, **kwargs)

    def fit_encoder(self, data: Any) -> Self:
        """Fit the encoders on training samples (N, ...) and build the layers, if there are none yet.

        Each encoder is fitted on what the forward gives it: all numbers, some of them or a function of them.

        Args:
            data: numbers, or integer codes of the input format, any shape (N, ...) with input_size elements a sample: a
                tensor, an array, a table, a DataLoader or a Dataset; see `difflut.data.samples_of`.

        Returns:
            the model itself.

        Raises:
            DataError: if the data are numbers and the input codes cannot express them, with the features and a remedy;
                or the model fits its format and the data are codes.
            LostFeatureWarning: if some feature varies, but all its bits are constant; `encoder_report` says which.
        """
        x = samples_of(data).cpu()
        self._check_shape(x)
        device = device_of(self)
        self.cpu()  # what is fitted does not depend on where the model is
        try:
            if self.input_bits is not None:
                self.input_format = InputFormat.fit(x, self.input_bits)
            given, rounded = self._numbers(x, rounded=False), self._numbers(x)
            self.encoder_report = fit_encoders(self, given, rounded, check=x.is_floating_point())
        finally:
            self.to(device)
        if self.encoder_report.lost_features:
            warnings.warn(f"model {self.name!r}: {self.encoder_report}", LostFeatureWarning, stacklevel=2)
        return self

    def _build(self) -> None:
        device = device_of(self)
        self._build_layers()
        self._built = True
        self.train(self.training).to(device)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """As of every module.

        Raises:
            NotFittedError: before `fit_encoder` there are none, and an optimizer would train nothing.
        """
        found = super().named_parameters(prefix, recurse, remove_duplicate)
        if self._built or not recurse:
            return found
        known = list(found)
        if not known:
            raise NotFittedError(
                f"model {self.name!r} has no parameters before it is fitted; call model.fit_encoder(training_data), or "
                "load it, and then make the optimizer or whatever else takes its parameters"
            )
        return iter(known)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.input_bits is not None and self._built:
            destination[prefix + state.SCALING] = state.scaling_of(self.input_format)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: list[str], *lists: Any
    ) -> None:
        """Of this module alone, before its children's: so they are made here, whatever module holds the model."""
        scaling = state_dict.pop(prefix + state.SCALING, None) if self.input_bits is not None else None
        own = {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}
        never_fitted = state.never_fitted(self, own)
        if scaling is not None:
            self.input_format = state.format_of(self.input_bits or 0, scaling)
        elif self.input_bits is not None and not self._built and not never_fitted:
            missing.append(prefix + state.SCALING)
        state.adopt(self, own)
        if never_fitted and self._built:
            lists[-1].append(state.NEVER_FITTED.format(self.name))
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *lists)

    def _check_shape(self, x: Tensor) -> None:
        if x.ndim < 2 or int(np.prod(x.shape[1:])) != self.input_size:
            raise InputShapeError(
                f"model {self.name!r}: got a tensor of shape {tuple(x.shape)}; expected (samples, ...) with "
                f"{self.input_size} features a sample, for example (samples, {', '.join(map(str, self.input_shape))})"
            )
        if x.dtype == torch.bool or x.is_complex():
            raise InputShapeError(
                f"model {self.name!r}: got dtype {x.dtype}; expected floating numbers or integer codes"
            )

    def _numbers(self, x: Tensor, rounded: bool = True) -> Tensor:
        """Check the shape and give the numbers of the codes: float32 (N, *input_shape)."""
        if not isinstance(x, Tensor):
            x = tensor_of(x).to(device_of(self))
        self._check_shape(x)
        if not x.is_floating_point():
            values = self.input_format.values(x)
        else:
            values = self.input_format.rounded(x) if rounded else x.float()
        return values.reshape(x.shape[0], *self.input_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Logits float32 (N, num_classes), those that hardware gives.

        Args:
            x: (N, ...) with input_size elements a sample; integer codes of the input format, or floating numbers, in
                whose place the model computes with those of the nearest codes. A NumPy array is taken, too.

        Raises:
            NotFittedError: before `fit_encoder` or `load_checkpoint`.
            InputShapeError: if the shape or dtype does not fit.
        """
        return self._logits(x)

    def forward_unrounded(self, x: Tensor) -> Tensor:
        """As `forward`, from floating numbers as they are: what no hardware computes, for comparison."""
        return self._logits(x, rounded=False)

    def _logits(self, x: Tensor, rounded: bool = True) -> Tensor:
        if not self._built:
            raise NotFittedError(
                f"model {self.name!r} is not fitted; call model.fit_encoder(training_data) or "
                f"model.load_checkpoint(path) first, or use get_model(name, pretrained=True)"
            )
        return self._forward_impl(self._numbers(x, rounded))

    def lut_layers(self) -> list[tuple[str, LUTLayer]]:
        """The LUT layers with their attribute names, in the order of definition."""
        return [(name, module) for name, module in self.named_modules() if isinstance(module, LUTLayer)]

    @property
    def output_heads(self) -> Heads:
        """The heads, in the order of definition, which must be that in which the forward calls and returns them."""
        return Heads.of(self)

    @property
    def node_count(self) -> int:
        """Nodes of all LUT layers and graphs."""
        graphs = [module.nodes for module in self.modules() if isinstance(module, LUTGraph)]
        return sum(layer.out_width for _, layer in self.lut_layers()) + sum(graphs)

    def get_regularization_loss(self) -> Tensor:
        """Scalar: the sum of the layers' regularisation losses (0 for families without one)."""
        losses = [layer.regularization_loss() for _, layer in self.lut_layers()]
        return torch.stack(losses).sum() if losses else torch.zeros(())

    def project(self) -> None:
        """Bring all parameters back into their valid ranges; call it after every optimizer step."""
        for _, layer in self.lut_layers():
            layer.nodes.project()

    def count_parameters(self) -> dict[str, int]:
        """The number of values: `total`, `trainable` (parameters), `non_trainable` (tables, connections,
        thresholds).
        """
        trainable = sum(p.numel() for p in self.parameters() if p.requires_grad)
        fixed = sum(p.numel() for p in self.parameters() if not p.requires_grad)
        fixed += sum(value.numel() for value in self._persistent_buffers().values())
        return {"total": trainable + fixed, "trainable": trainable, "non_trainable": fixed}

    def _persistent_buffers(self) -> dict[str, Tensor]:
        names = {state.SCALING, *(name for name, _ in self.named_parameters())}
        return {name: value for name, value in self.state_dict().items() if name not in names}

    def get_layer_topology(self) -> list[dict[str, Any]]:
        """One entry for each encoder, each LUT layer and the head: name, type and sizes."""
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                "type": type(encoder).__name__,
                "inputs": encoder.features or self.input_size,
                "outputs": encoder.output_width,
                "bits": encoder.bits,
            }
            for name, encoder in encoders(self).items()
        ]
        for name, module in self.named_modules():
            if isinstance(module, LUTLayer):
                rows.append(
                    {
                        "name": name,
                        "type": type(module).__name__,
                        "inputs": module.in_width,
                        "outputs": module.out_width,
                        "n": module.n,
                        "family": module.family,
                    }
                )
            elif isinstance(module, LUTGraph):
                widths = {"inputs": module.in_width, "outputs": len(module.outputs)}
                rows.append({"name": name, "type": type(module).__name__, **widths, "nodes": module.nodes})
            elif isinstance(module, Head):
                tau = {"tau": module.tau} if hasattr(module, "tau") else {}
                rows.append({"name": name, "type": type(module).__name__, "outputs": module.results, **tau})
        return rows

    def freeze(self) -> Self:
        """Keep the present function for good: integer connections, fixed tables, no parameters; returns the model."""
        for _, layer in self.lut_layers():
            layer.freeze()
        return self

    def unfreeze(self, family: str = "dwn_stable") -> Self:
        """Give frozen layers nodes that compute the same and can be trained, such as those of the zoo's weights.

        Connections stay as they are.

        Args:
            family: of the nodes; one that has every table, as `dwn`, `dwn_stable` and `probabilistic`.

        Raises:
            ConfigError: the family does not have these tables.
        """
        for _, layer in self.lut_layers():
            if layer.family == "fixed":
                layer.unfreeze(family)
        return self

    def checkpoint_bytes(self, *, frozen: bool = False) -> bytes:
        """The checkpoint as bytes; see `save_checkpoint`."""
        if not self._built:
            raise NotFittedError(
                f"model {self.name!r} is not fitted, so there is nothing to save; call fit_encoder first"
            )
        return checkpoint.to_bytes(self, frozen=frozen)

    def save_checkpoint(self, path: str | os.PathLike[str], *, frozen: bool = False) -> None:
        """Write the trained model to one safetensors file, whole or not at all.

        Connections are always saved as integers. By default the nodes' parameters are saved, so that training can go
        on with these connections; with `frozen=True` only each node's table, one bit an entry, is.
        """
        write_atomically(Path(path), self.checkpoint_bytes(frozen=frozen))

    def load_checkpoint(self, path: str | os.PathLike[str]) -> Self:
        """Load a file written by `save_checkpoint` of the same kind of model; returns the model in eval mode.

        Raises:
            CheckpointError: if the file is missing, is no checkpoint, or belongs to another model.
        """
        header, tensors = checkpoint.read_checkpoint(path)
        if header.model != self.name:
            raise CheckpointError(
                f"{path}: this checkpoint belongs to model {header.model!r}, but was loaded into {self.name!r}; "
                f"use get_model({header.model!r}).load_checkpoint(path)"
            )
        restored = copy.deepcopy(self)  # a file that does not fit leaves this model as it was
        try:
            checkpoint.restore(restored, tensors, header)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path}: the checkpoint does not fit model {self.name!r} as it is defined now ({error}); "
                f"was it saved by another version of the model?"
            ) from error
        self.__dict__.clear()  # what was None before, such as a layer to come, would hide a module of that name
        self.__dict__.update(restored.__dict__)
        self.info = header.info
        self.eval()
        return self


def device_of(model: BaseModel) -> torch.device:
    """Where a model is, all of it in one place; a function, because a subclass may have an attribute `device`."""
    return next(model.buffers()).device
