"""What every node family promises, and that each learns and exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from difflut.encoders import Thermometer
from difflut.errors import ConfigError
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.nodes import FAMILIES, Nodes
from difflut.nodes.base import address_bits, addresses
from difflut.training import predict_scores

SOFT = ["difflogic", "probabilistic", "warp"]
HARD = ["dwn", "dwn_stable", "fourier", "hybrid", "linear", "neura", "poly"]
TRAINED = sorted(SOFT + HARD)


def sizes(family: str) -> list[int]:
    return [2] if family == "difflogic" else list(range(1, 9))


CASES = [(family, n) for family in TRAINED for n in sizes(family)]


def test_every_family_is_listed_here() -> None:
    assert sorted(FAMILIES) == sorted([*TRAINED, "fixed"])


@pytest.mark.parametrize(("family", "n"), CASES)
def test_forward_at_the_corners_is_the_truth_table(family: str, n: int) -> None:
    torch.manual_seed(n)
    nodes = FAMILIES[family](40, n)
    outputs = nodes(address_bits(n).t().expand(40, -1, -1))
    tables = nodes.truth_tables()
    assert tables.dtype == torch.bool
    assert tables.shape == (40, 1 << n)
    assert torch.equal(outputs > 0.5, tables)
    if family in HARD:
        assert torch.equal(outputs, tables.to(outputs.dtype))
    else:
        assert float(outputs.detach().min()) >= 0
        assert float(outputs.detach().max()) <= 1


@pytest.mark.parametrize("family", HARD)
@pytest.mark.parametrize("samples", [0, 1, 7, 1000])
def test_hard_batches_of_any_size_agree_with_the_tables(family: str, samples: int) -> None:
    torch.manual_seed(samples)
    nodes = FAMILIES[family](30, 6)
    with torch.no_grad():
        for parameter in nodes.parameters():
            parameter.copy_(parameter.sign() * 0.125)  # many sums that are zero but for rounding
    inputs = (torch.rand(30, 6, samples) < 0.5).float().requires_grad_()
    outputs = nodes(inputs)
    assert torch.equal(outputs > 0, nodes.truth_tables().gather(1, addresses(inputs.detach())))
    outputs.sum().backward()


@pytest.mark.parametrize("family", SOFT)
def test_soft_outputs_stay_within_0_and_1(family: str) -> None:
    nodes = FAMILIES[family](30, sizes(family)[-1])
    outputs = nodes(torch.rand(30, nodes.n, 50)).detach()
    assert float(outputs.min()) >= 0
    assert float(outputs.max()) <= 1
    assert nodes(torch.rand(30, nodes.n, 0)).shape == (30, 0)


@pytest.mark.parametrize("family", sorted(set(HARD) - {"linear"}))
def test_hard_families_round_soft_inputs(family: str) -> None:
    nodes = FAMILIES[family](30, 4)
    inputs = torch.rand(30, 4, 50)
    assert torch.equal(nodes(inputs), nodes((inputs > 0.5).float()))


@pytest.mark.parametrize(("family", "n"), CASES)
def test_table_values(family: str, n: int) -> None:
    """They lie in [-1, 1], have the table's signs, and all that forward trains moves with them."""
    nodes = FAMILIES[family](20, n)
    values = nodes.table_values()
    assert values.shape == (20, 1 << n)
    assert float(values.detach().abs().max()) <= 1
    assert torch.equal(values > 0, nodes.truth_tables())
    (values * torch.randn_like(values)).sum().backward()
    for name, parameter in nodes.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


def test_fixed_table_values() -> None:
    nodes = FAMILIES["fixed"](2, 2)
    assert nodes.table_values().tolist() == [[-1.0] * 4] * 2


@pytest.mark.parametrize(("family", "n"), [(family, n) for family, n in CASES if family in SOFT and n in (2, 3, 6)])
def test_soft_gradients_against_finite_differences(family: str, n: int) -> None:
    torch.manual_seed(n)
    nodes = FAMILIES[family](2, n).double()
    inputs = torch.rand(2, n, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *tensors: nodes(tensors[0]), (inputs, *nodes.parameters()))


@pytest.mark.parametrize("family", TRAINED)
def test_state_is_the_parameters(family: str) -> None:
    nodes = FAMILIES[family](3, 2)
    assert list(nodes.state_dict()) == [name for name, _ in nodes.named_parameters()]
    assert repr(nodes).startswith(f"{type(nodes).__name__}(")
    assert "nodes=3, n=2" in repr(nodes)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_sizes_out_of_range(family: str) -> None:
    name = FAMILIES[family].__name__
    with pytest.raises(ConfigError) as caught:
        FAMILIES[family](0, 2)
    assert str(caught.value) == f"{name}: nodes is 0; it must be at least 1"
    for n in (0, 9):
        with pytest.raises(ConfigError) as caught:
            FAMILIES[family](1, n)
        assert str(caught.value) == f"{name}: n is {n}; a node has from 1 to 8 inputs"


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("poly", {"degree": 0}, "PolyLUTNodes: degree is 0; it must be an integer from 1 to 8"),
        ("poly", {"degree": 1.5}, "PolyLUTNodes: degree is 1.5; it must be an integer from 1 to 8"),
        ("poly", {"degree": True}, "PolyLUTNodes: degree is True; it must be an integer from 1 to 8"),
        ("neura", {"width": 65}, "NeuraLUTNodes: width is 65; it must be an integer from 1 to 64"),
        ("neura", {"depth": -1}, "NeuraLUTNodes: depth is -1; it must be an integer from 1 to 8"),
        ("warp", {"temperature": 0}, "WARPNodes: temperature is 0; it must be a finite number above 0"),
        (
            "probabilistic",
            {"temperature": float("nan")},
            "ProbabilisticNodes: temperature is nan; it must be a finite number above 0",
        ),
        ("hybrid", {"temperature": "1"}, "HybridNodes: temperature is '1'; it must be a finite number above 0"),
        (
            "difflogic",
            {"temperature": float("inf")},
            "DiffLogicNodes: temperature is inf; it must be a finite number above 0",
        ),
    ],
)
def test_options_out_of_range(family: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FAMILIES[family](2, 2, **options)
    assert str(caught.value) == message


class Net(BaseModel):
    """Two LUT layers of one family on 10 features of one bit."""

    def __init__(self, family: str) -> None:
        super().__init__("net", input_size=10, num_classes=2)
        self.family = family
        self.encoder = Thermometer(1)

    def _build_layers(self) -> None:
        n = 2 if self.family == "difflogic" else 4
        self.first = LUTLayer(self.encoder.output_width, 64, n, self.family)
        self.second = LUTLayer(64, 40, n, self.family)
        self.head = GroupSum(2, tau=3.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(self.encoder(x))))
        return logits


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tensors this small are not worth sharing between threads, which wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("family", TRAINED)
def test_learns_a_majority_and_exports(family: str) -> None:
    """The majority of the first five of ten bits: the loss falls, the tables decide it, the netlist agrees."""
    torch.manual_seed(0)
    images = 255 * torch.randint(0, 2, (1600, 10), dtype=torch.uint8)
    labels = (images[:, :5].float().sum(1) > 2.5 * 255).long()
    model = Net(family)
    model.fit_encoder(images)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        batch = torch.randint(0, 1200, (128,))
        loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        model.project()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    scores, classes = predict_scores(model, images[1200:])
    assert float((classes == labels[1200:]).float().mean()) > 0.9
    outputs = simulate(trace(model), images[1200:].numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())


def test_the_base_names_what_to_override() -> None:
    with pytest.raises(NotImplementedError):
        Nodes(1, 1).truth_tables()
