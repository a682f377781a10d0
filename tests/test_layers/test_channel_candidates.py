"""Kernels that read a few channels, each input choosing among a few bits of them."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from difflut.errors import ConfigError
from difflut.layers import ConvLUTLayer, LayerConfig
from difflut.layers.connections import LearnableConnections, choice_gradient
from difflut.models.edges import EdgeConv


def layer(connections: str = "learnable", candidates: int | None = 5, **options: int) -> ConvLUTLayer:
    torch.manual_seed(0)
    config = LayerConfig(n=4, connections=connections, candidates=candidates if connections == "learnable" else None)
    return ConvLUTLayer(6, 9, (3, 2), padding=1, channels_per_kernel=2, config=config, **options)


@pytest.mark.parametrize("depth", [1, 2])
def test_candidates_lie_in_a_few_channels(depth: int) -> None:
    first = layer(depth=depth).levels[0]
    wiring = first.learnable
    assert wiring is not None
    ports = 4**depth
    assert wiring.candidates.shape == (9 * ports, 5) and wiring.weight.shape == (9 * ports, 1, 5)
    assert all(len(set(row)) == 5 for row in wiring.candidates.tolist())
    channels = wiring.candidates // 6
    for kernel in range(9):
        assert len(channels[kernel * ports : (kernel + 1) * ports].unique()) == 2
    counted = Counter(
        c for kernel in range(9) for c in channels[kernel * ports : (kernel + 1) * ports].unique().tolist()
    )
    assert max(counted.values()) - min(counted.values()) <= 1 and len(counted) == 6


def test_all_bits_of_the_channels_by_default() -> None:
    wiring = layer(candidates=None).levels[0].learnable
    assert wiring is not None and wiring.candidates.shape == (36, 2 * 6)


def test_fixed_connections() -> None:
    connections = layer("random").levels[0].connections
    assert connections.shape == (9, 4)
    assert all(len((row // 6).unique()) <= 2 for row in connections)


def test_the_choice_is_the_largest_weight_and_learns() -> None:
    wiring = LearnableConnections.among(torch.tensor([[3, 0], [1, 4], [2, 4]]))
    with torch.no_grad():
        wiring.weight.copy_(torch.tensor([[[0.0, 1.0]], [[2.0, 1.0]], [[0.0, 0.5]]]))
    assert wiring.selected().tolist() == [0, 1, 4]
    columns = (torch.rand(5, 70, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    output = wiring(columns)
    assert torch.equal(output, columns[[0, 1, 4]])
    grad = torch.randn(3, 70, generator=torch.Generator().manual_seed(1))
    output.backward(grad)
    signed = 2 * columns - 1
    expected = torch.stack([(signed[list(c)] @ g)[None] for c, g in zip([(3, 0), (1, 4), (2, 4)], grad, strict=True)])
    torch.testing.assert_close(wiring.weight.grad, expected)
    torch.testing.assert_close(choice_gradient(grad, columns, None, wiring.candidates, wiring.weight.shape), expected)


def test_training_and_eval_agree_and_a_state_dict_keeps_the_choice() -> None:
    made = layer()
    bits = torch.rand(4, 6, 5, 5) < 0.5
    made.train()
    trained = made(bits.float())
    made.eval()
    assert torch.equal(made(bits), trained.bool())
    again = layer()
    again.load_state_dict(made.state_dict())
    assert torch.equal(again.eval()(bits), made(bits))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ConvLUTLayer(6, 9, channels_per_kernel=7),
            "ConvLUTLayer: channels_per_kernel is 7; it must be from 1 to 6",
        ),
        (
            lambda: layer(candidates=13),
            "ConvLUTLayer: candidates is 13; it must be from 1 to 12, the bits of 2 channels",
        ),
        (
            lambda: layer(groups=3),
            "ConvLUTLayer: channels_per_kernel is for random or learnable connections in one group",
        ),
    ],
)
def test_what_is_refused(make: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value).startswith(message)


def test_the_architecture_is_the_one_described() -> None:
    model = EdgeConv(image_size=8, kernels=(8, 16), widths=(50, 40), width_candidates=16)
    assert model.edges.bits * 9 + 5 * 3 == 51  # channels of the encoded image, once the filters are there
    assert model.filter.sums == 9
    torch.manual_seed(0)
    model.fit_encoder(torch.randint(0, 256, (20, 3, 8, 8)))
    assert [block[0].in_channels for block in model.blocks] == [51, 8]
    assert model(torch.randint(0, 256, (2, 3, 8, 8))).shape == (2, 10)
    with pytest.raises(ConfigError):
        EdgeConv(image_size=12)
