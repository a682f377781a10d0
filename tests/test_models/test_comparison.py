"""The comparison models differ in the one option that they compare."""

from __future__ import annotations

import pytest
import torch
from small_models import random_codes

from difflut.models.comparison import COMPARISON_MODELS, MNISTComparison

NAMES = [
    "mnist_bitflip_0", "mnist_bitflip_5", "mnist_bitflip_10", "mnist_bitflip_20",
    "mnist_gradnorm_none", "mnist_gradnorm_layerwise", "mnist_gradnorm_batchwise", "mnist_gradnorm_layerwise_mean",
    "mnist_residual_init",
]  # fmt: skip


def test_names() -> None:
    assert list(COMPARISON_MODELS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_model_has_its_option_in_every_layer(name: str) -> None:
    make, description = COMPARISON_MODELS[name]
    model = make()
    assert model.name == name
    torch.manual_seed(0)
    model.fit_encoder(random_codes(model, 10)).train()
    layers = [layer for _, layer in model.lut_layers()]
    family, _, kind = name.removeprefix("mnist_").partition("_")
    assert len(layers) == (2 if family == "bitflip" else 6)
    assert description.startswith(f"{len(layers)} x {layers[0].out_width:,} DWN stable nodes, ")
    assert {layer.config.bit_flip for layer in layers} == {int(kind) / 100 if family == "bitflip" else 0.0}
    assert {layer.config.gradient for layer in layers} == {kind if family == "gradnorm" else "none"}
    assert {layer.config.initializer for layer in layers} == {"residual" if family == "residual" else None}
    assert [layer.config.connections for layer in layers] == ["learnable"] + ["random"] * (len(layers) - 1)
    model(random_codes(model, 4)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_bit_flips_leave_evaluation_alone() -> None:
    model = MNISTComparison("small", (40, 20), bit_flip=0.2)
    torch.manual_seed(0)
    codes = random_codes(model, 20)
    model.fit_encoder(codes)
    assert not torch.equal(model.train()(codes), model.eval()(codes))
    assert torch.equal(model(codes), model(codes))
