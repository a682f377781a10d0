"""Bit flips, gradient stabilisation, initialisers and regularisers against their formulas; the configuration."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import Chain, fitted
from torch import Tensor

from difflut.errors import ConfigError, UnknownNameError
from difflut.layers import (
    GRADIENTS,
    INITIALIZERS,
    REGULARIZERS,
    ConvLUTLayer,
    LayerConfig,
    LUTLayer,
    consecutive_connections,
    flip_bits,
    stabilize_gradient,
    walsh_hadamard,
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("probability", [0.05, 0.2, 1.0])
def test_rate_of_bit_flips(probability: float) -> None:
    bits = (torch.rand(500, 400) < 0.3).float()
    flipped = flip_bits(bits, probability)
    assert set(flipped.unique().tolist()) <= {0.0, 1.0}
    rate = float((flipped != bits).float().mean())
    deviation = math.sqrt(probability * (1 - probability) / bits.numel())
    assert abs(rate - probability) <= 5 * deviation
    assert not torch.equal(flip_bits(bits, probability), flipped) or probability == 1


def test_no_flips_draw_nothing() -> None:
    bits, state = torch.rand(4, 3), torch.get_rng_state()
    assert flip_bits(bits, 0.0) is bits
    assert torch.equal(torch.get_rng_state(), state)


def test_flips_are_straight_through_and_mirror_a_relaxation() -> None:
    bits = torch.tensor([0.0, 1.0, 0.25], requires_grad=True)
    flipped = flip_bits(bits, 1.0)
    assert flipped.tolist() == [1.0, 0.0, 0.75]
    flipped.backward(torch.tensor([1.0, 2.0, 3.0]))
    assert bits.grad is not None
    assert bits.grad.tolist() == [1.0, 2.0, 3.0]


def test_a_layer_flips_while_training_only() -> None:
    layer = LUTLayer(20, 300, 3, bit_flip=0.2)
    bits = torch.rand(200, 20) < 0.5
    expected = layer.eval()(bits)
    rate = float((layer.train()(bits) != expected.float()).float().mean())
    assert abs(rate - 0.2) < 0.01
    assert torch.equal(layer.eval()(bits), expected)


def expected_gradient(kind: str, grad: Tensor) -> Tensor:
    rows = grad.flatten(1).tolist()
    count = len(rows)
    if kind.startswith("layerwise"):
        rows = [[value for row in rows for value in row]]
    if kind.endswith("_mean"):
        rows = [[value - sum(row) / len(row) for value in row] for row in rows]
    if kind != "none":
        target = 1.0 if kind.startswith("layerwise") else 1 / math.sqrt(count)
        norms = [math.sqrt(sum(value * value for value in row)) for row in rows]
        rows = [
            [value * target / norm if norm else 0.0 for value in row] for row, norm in zip(rows, norms, strict=True)
        ]
    return torch.tensor(rows).view(grad.shape)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(GRADIENTS)), samples=st.integers(1, 4), seed=st.integers(0, 99))
def test_stabilised_gradient(kind: str, samples: int, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(samples, 3, 5, requires_grad=True)
    y = stabilize_gradient(x, kind)
    assert torch.equal(y, x)
    grad = torch.randn(samples, 3, 5)
    y.backward(grad)
    torch.testing.assert_close(x.grad, expected_gradient(kind, grad))
    assert kind == "none" or float(x.grad.norm()) == pytest.approx(1)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", sorted(set(GRADIENTS) - {"none"}))
def test_tiny_and_zero_gradients(kind: str) -> None:
    x = torch.zeros(2, 4, requires_grad=True)
    direction = torch.tensor([[1.0, -2.0, 0.5, 0.5], [3.0, 0.0, -1.0, -2.0]])
    stabilize_gradient(x, kind).backward(direction * 1e-30)
    torch.testing.assert_close(x.grad, expected_gradient(kind, direction))
    x.grad = None
    stabilize_gradient(x, kind).backward(torch.zeros(2, 4))
    assert x.grad is not None and not bool(x.grad.any())
    empty = torch.zeros(0, 4, requires_grad=True)
    stabilize_gradient(empty, kind).sum().backward()
    assert empty.grad is not None and empty.grad.shape == (0, 4)


@pytest.mark.parametrize("kind", sorted(GRADIENTS))
def test_layers_stabilise_their_outputs(kind: str) -> None:
    torch.manual_seed(1)
    plain = LUTLayer(12, 8, 3)
    torch.manual_seed(1)
    layer = LUTLayer(12, 8, 3, gradient=kind)
    bits, grad = torch.rand(5, 12) < 0.5, torch.randn(5, 8)
    layer(bits).backward(grad)
    plain(bits).backward(expected_gradient(kind, grad))
    torch.testing.assert_close(layer.nodes.table.grad, plain.nodes.table.grad)  # type: ignore[union-attr]


def test_a_convolution_stabilises_per_image() -> None:
    torch.manual_seed(1)
    plain = ConvLUTLayer(2, 3, 2, depth=2, config=LayerConfig(n=2))
    torch.manual_seed(1)
    layer = ConvLUTLayer(2, 3, 2, depth=2, config=LayerConfig(n=2, gradient="batchwise"))
    images, grad = torch.rand(4, 2, 3, 3) < 0.5, torch.randn(4, 3, 2, 2)
    layer(images).backward(grad)
    plain(images).backward(expected_gradient("batchwise", grad))
    for got, expected in zip(layer.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(got.grad, expected.grad)


@pytest.mark.parametrize("n", [1, 3, 6])
@pytest.mark.parametrize(("name", "family"), [
    *product(sorted(INITIALIZERS), ["dwn", "dwn_stable"]), *product(["residual", "zeros", "ones"], ["linear"]),
])  # fmt: skip
def test_initializers(name: str, family: str, n: int) -> None:
    layer = LUTLayer(20, 200, n, family, initializer=name)
    values, tables = layer.nodes.table_values().detach(), layer.truth_tables()
    assert float(values.abs().max()) <= 1
    address = torch.arange(1 << n)
    if name == "residual":
        assert torch.equal(tables, (address % 2 == 1).expand(200, -1))
        bits = torch.rand(30, 20) < 0.5
        assert torch.equal(layer.eval()(bits), bits[:, layer.connections[:, 0]])
    elif name in ("zeros", "ones"):
        assert bool((tables == (name == "ones")).all())
    else:
        spread = {"uniform": 1 / math.sqrt(3), "gaussian": 0.4846}[name]  # a clamped normal's deviation
        assert float(values.mean()) == pytest.approx(0, abs=0.15)
        assert float(values.std()) == pytest.approx(spread, abs=0.05)
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_tables_that_a_family_cannot_hold() -> None:
    with pytest.raises(ConfigError) as caught:
        LUTLayer(20, 50, 6, "linear", initializer="uniform")
    assert str(caught.value) == (
        "initializer 'uniform': LinearLUTNodes cannot represent 50 of its 50 tables; choose another family or "
        "initializer, or None for the family's own"
    )
    with pytest.raises(ConfigError) as caught:
        LUTLayer(20, 50, 6, "fixed", initializer="zeros")
    assert str(caught.value) == "initializer: FixedNodes has no parameters; give None"


@pytest.mark.parametrize("n", range(1, 9))
def test_walsh_hadamard_equals_the_sum(n: int) -> None:
    values = torch.randn(3, 1 << n, dtype=torch.float64)
    signs = torch.tensor(
        [[-1.0 if (a & s).bit_count() % 2 else 1.0 for s in range(1 << n)] for a in range(1 << n)], dtype=torch.float64
    )
    torch.testing.assert_close(walsh_hadamard(values), values @ signs / (1 << n))


def test_regularizers_against_direct_formulas() -> None:
    values = torch.randn(4, 8, dtype=torch.float64)
    entries = values.flatten().tolist()
    assert float(REGULARIZERS["l1"](values)) == pytest.approx(sum(map(abs, entries)) / 32)
    assert float(REGULARIZERS["l2"](values)) == pytest.approx(sum(value * value for value in entries) / 32)
    energy = 0.0
    for row in values.tolist():
        for subset in range(8):
            coefficient = sum(v * (-1) ** (a & subset).bit_count() for a, v in enumerate(row)) / 8
            energy += subset.bit_count() / 3 * coefficient**2
    assert float(REGULARIZERS["spectral"](values)) == pytest.approx(energy / 4)


@pytest.mark.parametrize("n", [1, 4])
def test_spectral_cost_of_known_functions(n: int) -> None:
    """Of values -1/+1: a constant costs 0, one input 1/n, the parity of all inputs 1."""
    address = torch.arange(1 << n)
    parity = torch.tensor([1.0 - 2 * (a.bit_count() % 2) for a in range(1 << n)])
    cost = [
        float(REGULARIZERS["spectral"](table[None])) for table in (torch.ones(1 << n), 2.0 * (address % 2) - 1, parity)
    ]
    assert cost == pytest.approx([0, 1 / n, 1])


def test_regularization_loss_adds_up() -> None:
    weights = {"l1": 0.5, "spectral": 2.0}
    layer = LUTLayer(10, 6, 3, regularizers=weights)
    values = layer.nodes.table_values()
    expected = sum(weight * REGULARIZERS[name](values) for name, weight in weights.items())
    torch.testing.assert_close(layer.regularization_loss(), expected)
    layer.regularization_loss().backward()
    assert bool(layer.nodes.table.grad.any())  # type: ignore[union-attr, operator]
    assert float(LUTLayer(10, 6, 3).regularization_loss()) == 0
    layer.freeze()
    assert float(layer.regularization_loss()) == 0


def test_regularization_loss_of_a_model() -> None:
    class Regularized(Chain):
        def _build_layers(self) -> None:
            super()._build_layers()
            self.layers[0] = LUTLayer(self.encoder.output_width, 12, 3, regularizers={"l2": 0.1})
            self.layers[1] = LUTLayer(12, 8, 3, regularizers={"l1": 0.2})

    model = fitted(Regularized())
    expected = sum(layer.regularization_loss() for _, layer in model.lut_layers())
    assert model.get_regularization_loss().item() == pytest.approx(expected.item()) != 0


def test_configuration_makes_the_same_layer() -> None:
    config = LayerConfig(n=3, connections="learnable", candidates=5, initializer="residual", bit_flip=0.1,
                         gradient="layerwise_mean", regularizers={"l1": 1.0})  # fmt: skip
    layer = LUTLayer(10, 6, **config.keywords())
    assert layer.config == config
    assert LUTLayer(10, 6).config == LayerConfig()
    with pytest.raises(FrozenInstanceError):
        config.n = 4  # type: ignore[misc]


def test_configuration_keeps_its_own_copies() -> None:
    weights = {"l1": 1.0}
    config = LayerConfig(regularizers=weights)
    weights["unknown"] = 2.0
    assert config.regularizers == {"l1": 1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": "full"}, "unknown connections 'full'; known: butterfly, consecutive, learnable, random"),
        (
            {"gradient": "unit"},
            "unknown gradient stabilisation 'unit'; known: batchwise, batchwise_mean, layerwise, layerwise_mean, none",
        ),
        ({"initializer": "he"}, "unknown initializer 'he'; known: gaussian, ones, residual, uniform, zeros"),
        ({"regularizers": {"l3": 1.0}}, "unknown regularizer 'l3'; known: l1, l2, spectral"),
        ({"node_options": {"degree": 2}}, "unknown node option 'degree' of family 'dwn_stable'; known: none"),
    ],
)
def test_unknown_names(options: dict[str, object], message: str) -> None:
    for make in (lambda: LayerConfig(**options), lambda: LUTLayer(4, 3, **options)):  # type: ignore[arg-type]
        with pytest.raises(UnknownNameError) as caught:
            make()
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bit_flip": 1.5}, "LUT layer: bit_flip is 1.5; it is a probability, from 0 to 1"),
        ({"bit_flip": math.nan}, "LUT layer: bit_flip is nan; it is a probability, from 0 to 1"),
        (
            {"regularizers": {"l1": -1.0}},
            "LUT layer: regularizer 'l1' has weight -1.0; it must be finite and >= 0",
        ),
        (
            {"connections": "consecutive", "candidates": 2},
            "LUT layer: candidates is for learnable connections; leave it None for consecutive ones",
        ),
    ],
)
def test_values_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LayerConfig(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_consecutive_connections() -> None:
    assert consecutive_connections(6, 2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ConfigError) as caught:
        LUTLayer(7, 2, 3, connections="consecutive")
    assert str(caught.value) == ("consecutive connections: 2 nodes with 3 inputs read 6 bits, but in_width is 7")


@pytest.mark.parametrize("connections", ["random", "learnable"])
def test_groups(connections: str) -> None:
    layer = LUTLayer(12, 6, 3, connections=connections, groups=3)
    assert (layer.connections // 4).tolist() == [[group] * 3 for group in (0, 0, 1, 1, 2, 2)]
    bits = torch.rand(9, 12) < 0.5
    outputs = layer.train()(bits)
    assert torch.equal(layer.eval()(bits).float(), outputs)
    outputs.sum().backward()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"in_width": 10, "nodes": 6, "groups": 3},
            "LUTLayer: 10 bits and 6 nodes do not split into 3 equal groups; make both multiples of groups",
        ),
        (
            {"in_width": 12, "nodes": 6, "groups": 0},
            "LUTLayer: 12 bits and 6 nodes do not split into 0 equal groups; make both multiples of groups",
        ),
        (
            {"in_width": 12, "nodes": 6, "n": 2, "groups": 3, "connections": "learnable", "candidates": 2},
            (
                "LearnableConnections: 12 bits and 12 ports in 3 groups with candidates 2; both must be multiples of "
                "groups, and candidates None"
            ),
        ),
    ],
)
def test_wrong_groups(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LUTLayer(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message
