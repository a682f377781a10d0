"""Which models sweeps can train, and what they read of them and change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from difflut.errors import ConfigError
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models.base_model import BaseModel
from difflut.nodes import FixedNodes
from difflut.training.bit_matrix import BitMatrix
from difflut.training.descent import Bits, Nodes, Options, sweep
from difflut.training.recipes import Recipe


@dataclass(frozen=True)
class End:
    """The end of a model that votes: its last LUT layer, whose outputs a `GroupSum` counts."""

    layer: LUTLayer
    head: GroupSum

    @classmethod
    @torch.no_grad()
    def of(cls, model: BaseModel, x: Tensor) -> End:
        """That of a fitted model, tried on some samples.

        Raises:
            ConfigError: the model's logits are not those of one `GroupSum` behind its last LUT layer.
        """
        layers = [layer for _, layer in model.lut_layers()]
        heads = [module for module in model.modules() if isinstance(module, GroupSum)]
        if layers and len(heads) == 1:
            end = cls(layers[-1], heads[0])
            outputs: list[Tensor] = []
            with _watched(end.layer, lambda _, __, output: outputs.append(output)), _in_eval_mode(model):
                logits = model(x)
                if len(outputs) == 1 and torch.equal(logits, end.head(outputs[0])):
                    return end
        raise ConfigError(
            f"model {model.name!r}: sweeps need a model that ends in a LUTLayer and a GroupSum of its outputs; use a "
            "recipe with sweeps=0"
        )

    @property
    def frozen(self) -> bool:
        """Whether the layer has fixed tables and connections."""
        return isinstance(self.layer.nodes, FixedNodes) and self.layer.learnable is None

    def freeze(self, blank: bool) -> None:
        """Give the layer fixed tables and connections; with `blank` all tables are 0: no node votes."""
        self.layer.freeze()
        if blank:
            self._nodes().tables.zero_()

    def improve(
        self,
        bits: BitMatrix,
        labels: Tensor,
        options: Options,
        chance: np.random.Generator,
        advance: Callable[[int], None],
    ) -> float:
        """A sweep over the frozen layer, see `descent.sweep`; the mean loss on the samples after it."""
        tables, connections = self._nodes().tables, self.layer.connections
        nodes = Nodes(connections.cpu().numpy().copy(), tables.cpu().numpy().astype(np.uint8), self.head.classes)
        sweep(nodes, bits, labels.numpy(), options, chance, advance)
        tables.copy_(torch.from_numpy(nodes.tables))
        connections.copy_(torch.from_numpy(nodes.inputs))
        logits = torch.from_numpy(nodes.votes(bits).T / np.float32(self.head.tau))
        return float(torch.nn.functional.cross_entropy(logits, labels))

    @torch.no_grad()
    def bits(self, model: BaseModel, x: Tensor) -> Bits:
        """uint8 (N, in_width): what the layer reads in a batch of samples."""
        read: list[Tensor] = []

        def keep(_: Any, inputs: tuple[Tensor]) -> None:
            read.append(inputs[0])
            raise _Read

        handle = self.layer.register_forward_pre_hook(keep)
        try:
            with _in_eval_mode(model), suppress(_Read):
                model(x)
        finally:
            handle.remove()
        return read[0].to("cpu", torch.uint8).numpy()

    def options(self, model: BaseModel, recipe: Recipe) -> Options:
        """How a recipe's sweeps choose."""
        prices = np.float32(recipe.sweep_price) * self.costly(model)
        return Options(self.head.tau, min(recipe.sweep_inputs, self.layer.n), prices)

    def costly(self, model: BaseModel) -> npt.NDArray[np.bool_]:
        """bool (in_width,): which bits take hardware. A comparison that is the top bit of a code takes none."""
        form = model.input_format
        middle = (form.lowest + form.highest + 1) // 2
        codes = torch.tensor([form.lowest, middle - 1, middle, form.highest])
        found = self.bits(model, codes.reshape(-1, *[1] * len(model.input_shape)).expand(-1, *model.input_shape))
        only = len(list(model.lut_layers())) == 1
        free: npt.NDArray[np.bool_] = (found.T == [0, 0, 1, 1]).all(axis=1)
        return ~(free & only)

    def _nodes(self) -> FixedNodes:
        assert isinstance(self.layer.nodes, FixedNodes)
        return self.layer.nodes


class _Read(BaseException):
    """The layer's inputs are known, so that the forward need not go on."""


@contextmanager
def _watched(layer: LUTLayer, watch: Callable[[Any, tuple[Any, ...], Any], None]) -> Iterator[None]:
    handle = layer.register_forward_hook(watch)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _in_eval_mode(model: BaseModel) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
