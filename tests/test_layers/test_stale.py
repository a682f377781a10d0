"""Eval mode computes with what the parameters and buffers say at that moment, whatever changed them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from small_models import fitted
from torch import Tensor, nn

from difflut.encoders import ENCODERS, make_encoder
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.functional import convolve, lut_lookup
from difflut.heads import GroupSum
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer
from difflut.models import BaseModel
from difflut.nodes import FAMILIES, FixedNodes

Layer = LUTLayer | ConvLUTLayer
Make = Callable[[], Layer]


def _fully_connected(family: str, connections: str) -> Layer:
    n = 2 if family == "difflogic" else 3
    return _filled(LUTLayer(12, 8, n, family, connections, candidates=5 if connections == "learnable" else None))


def _convolution(family: str, connections: str) -> Layer:
    return _filled(ConvLUTLayer(2, 3, 2, depth=2, config=LayerConfig(n=2, family=family, connections=connections)))


def _filled(layer: Layer) -> Layer:
    """The layer, whose given tables, if it has such, are not all zeros."""
    for module in layer.modules():
        if isinstance(module, FixedNodes):
            module.tables.random_(2)
    return layer


MAKERS = {
    f"{kind.__name__[1:]}, {family}, {connections}": lambda kind=kind, family=family, connections=connections: kind(
        family, connections
    )
    for kind in (_fully_connected, _convolution)
    for family in FAMILIES
    for connections in ("random", "learnable")
}


def _input(layer: Layer) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (200, 12) if isinstance(layer, LUTLayer) else (20, 2, 5, 5)
    return torch.randint(0, 2, shape, generator=generator, dtype=torch.bool)


def _connections(layer: LUTLayer, state: dict[str, Tensor], prefix: str) -> Tensor:
    """int64 (nodes, n), read off the state, port by port."""
    if f"{prefix}wiring.connections" in state:
        return state[f"{prefix}wiring.connections"]
    weight, offered = state[f"{prefix}wiring.weight"], state[f"{prefix}wiring.candidates"]
    chosen = [
        int(offered[block, int(torch.argmax(weight[block, port]))])
        for block in range(weight.shape[0])
        for port in range(weight.shape[1])
    ]
    return torch.tensor(chosen[: layer.out_width * layer.n]).view(layer.out_width, layer.n)


def _what_the_state_says(layer: Layer, bits: Tensor) -> Tensor:
    """The outputs from the state dict alone, through nodes that have seen no other state."""
    state, levels = layer.state_dict(), [layer] if isinstance(layer, LUTLayer) else list(layer.levels)
    connections, tables = [], []
    for number, level in enumerate(levels):
        assert isinstance(level, LUTLayer)
        prefix = "" if isinstance(layer, LUTLayer) else f"levels.{number}."
        nodes = FAMILIES[level.family](level.out_width, level.n)
        own = {key.removeprefix(f"{prefix}nodes."): value for key, value in state.items() if f"{prefix}nodes." in key}
        nodes.load_state_dict(own)
        connections.append(_connections(level, state, prefix))
        tables.append(nodes.truth_tables())
    if isinstance(layer, LUTLayer):
        return lut_lookup(bits, connections[0], tables[0])
    return convolve(bits, connections, tables, layer.kernel_size, layer.stride, layer.padding)


def _state_of_training(make: Make) -> dict[str, Tensor]:
    torch.manual_seed(7)
    other = make().train()
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    return {key: value.clone() for key, value in other.state_dict().items()}


def _load(layer: Layer, make: Make) -> Layer:
    layer.load_state_dict(_state_of_training(make))
    return layer


def _assign(layer: Layer, make: Make) -> Layer:
    layer.load_state_dict(_state_of_training(make), assign=True)
    return layer


def _edit_in_place(layer: Layer, make: Make) -> Layer:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.neg_()
    return layer


def _edit_data(layer: Layer, make: Make) -> Layer:
    for parameter in layer.parameters():
        parameter.data = -parameter.data
    return layer


def _swap_parameters(layer: Layer, make: Make) -> Layer:
    for module in layer.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(-parameter.detach()))
    return layer


def _swap_modules(layer: Layer, make: Make) -> Layer:
    other = _load(make(), make)
    for name, child in other.named_children():
        setattr(layer, name, child)
    return layer


def _copy_and_edit(layer: Layer, make: Make) -> Layer:
    return _edit_in_place(copy.deepcopy(layer), make)


def _step(layer: Layer, make: Make) -> Layer:
    """An optimizer step while the layer stays in eval mode."""
    parameters = list(layer.parameters())
    for parameter in parameters:
        parameter.grad = 3 * parameter.detach()
    if parameters:
        torch.optim.SGD(parameters, lr=1.0).step()
    return layer


def _to_and_edit(layer: Layer, make: Make) -> Layer:
    return _edit_in_place(layer.to(torch.float64).to(torch.float32), make)


def _edit_buffers(layer: Layer, make: Make) -> Layer:
    for name, buffer in layer.state_dict().items():
        if name.endswith(("tables", "wiring.connections")):
            buffer.copy_(buffer.flip(0))
    return layer


CHANGES = [
    _load,
    _assign,
    _edit_in_place,
    _edit_data,
    _swap_parameters,
    _swap_modules,
    _copy_and_edit,
    _step,
    _to_and_edit,
    _edit_buffers,
]


@pytest.mark.parametrize("name", MAKERS)
def test_eval_computes_what_the_state_says(name: str) -> None:
    make = MAKERS[name]
    changed = 0
    for change in CHANGES:
        torch.manual_seed(0)
        layer = make().eval()
        bits = _input(layer)
        before = layer(bits)
        assert torch.equal(before, _what_the_state_says(layer, bits))
        layer = change(layer, make)
        after = layer(bits)
        assert torch.equal(after, _what_the_state_says(layer, bits)), change.__name__
        changed += not torch.equal(before, after)
    assert changed >= 2  # the changes are no changes of nothing


def test_eval_by_the_attribute_alone() -> None:
    """A submodule whose `training` was set by hand has not seen `eval()`."""
    layer = LUTLayer(12, 8, 3, connections="learnable").train()
    with torch.no_grad():
        assert layer.learnable is not None
        layer.learnable.weight.neg_()
    layer.training = False
    bits = _input(layer)
    assert torch.equal(layer(bits), _what_the_state_says(layer, bits))


class Learned(BaseModel):
    """A model whose first layer learns its connections."""

    def __init__(self) -> None:
        super().__init__("learned", 8, 2)

    def _build_layers(self) -> None:
        self.first = LUTLayer(self.encoder.output_width, 16, n=4, connections="learnable")
        self.head = GroupSum(2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.first(self.encoder(x)))


def test_a_state_saved_while_training_in_a_model_in_eval_mode() -> None:
    trained, loaded = fitted(Learned(), 0).train(), fitted(Learned(), 9).eval()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.normal_()
    loaded.load_state_dict(trained.state_dict())
    codes = torch.randint(0, 256, (500, 8), generator=torch.Generator().manual_seed(3))
    scores = loaded(codes)
    assert torch.equal(scores, trained.eval()(codes))
    assert (simulate(trace(loaded), codes.numpy()).scores == scores.long().numpy()).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_thresholds_of_another_dtype(name: str, dtype: torch.dtype) -> None:
    """The circuit compares with the thresholds that the model has now, rounded or not."""
    model = Learned()
    model.encoder = make_encoder(name, 3)
    fitted(model).to(dtype)
    codes = torch.randint(0, 256, (500, 8), generator=torch.Generator().manual_seed(3))
    assert (simulate(trace(model), codes.numpy()).scores == model(codes).long().numpy()).all()
