"""The compiled kernels give what PyTorch does."""

from __future__ import annotations

import itertools
import logging

import pytest
import torch
from tools import require_tool
from torch import Tensor

from difflut import kernels, native
from difflut.layers import LearnableConnections, LUTLayer, or_pool
from difflut.nodes import DWNStableNodes
from difflut.nodes.relaxation import hard_lookup

PORTS = [(20, 70, None, 1), (20, 70, 5, 1), (8, 1, None, 1), (130, 200, 40, 1), (12, 6, None, 3)]
SAMPLES = [0, 1, 7, 64, 65, 130]


@pytest.fixture(autouse=True)
def with_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("cc")
    monkeypatch.delenv(native.VARIABLE, raising=False)
    torch.manual_seed(0)


def binary(width: int, samples: int) -> Tensor:
    """Bits of which each column has a share of ones of its own, from none to all."""
    return (torch.rand(width, samples) < torch.linspace(-0.1, 1.1, width)[:, None]).float()


@pytest.mark.parametrize("samples", SAMPLES)
def test_packed_bits(samples: int) -> None:
    columns = binary(9, samples)
    words = kernels.packed(columns)
    assert words is not None and words.shape == (9, -(-samples // 64))
    for row, sample in itertools.product(range(9), range(samples)):
        assert (int(words[row, sample // 64]) >> (sample % 64)) & 1 == int(columns[row, sample])


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, float("nan")])
def test_what_is_no_bit_is_refused(value: float) -> None:
    columns = binary(9, 70)
    columns[8, 69] = value
    assert kernels.packed(columns) is None


@pytest.mark.parametrize("width", [1, 5, 31, 32, 33, 100])
def test_first_largest(width: int) -> None:
    values = torch.rand(40, width)
    values[:10] = (values[:10] * 3).floor()  # ties
    values[10:20] = -torch.inf
    values[20, width // 2] = values[21, -1] = values[22, 0] = torch.nan
    values[23] = torch.nan
    places = kernels.first_largest(values)
    assert places is not None
    assert torch.equal(places, values.argmax(1))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize(("width", "ports", "candidates", "groups"), PORTS)
def test_choices(
    width: int, ports: int, candidates: int | None, groups: int, samples: int, threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    module = LearnableConnections(width, ports, candidates, groups)
    bits, grad = binary(width, samples), torch.randn(ports, samples)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)

    def results(native_too: str) -> tuple[Tensor | None, ...]:
        monkeypatch.setenv(native.VARIABLE, native_too)
        columns = bits.clone().requires_grad_()
        module.zero_grad()
        outputs = module(columns)
        outputs.backward(grad)
        return outputs, columns.grad, module.weight.grad

    *ours, weight_grad = results("1")
    *expected, expected_weight_grad = results("0")
    torch.testing.assert_close(ours, expected, rtol=0, atol=0)
    torch.testing.assert_close(weight_grad, expected_weight_grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 63, 4096, 4097, 9000])
@pytest.mark.parametrize("offered", [1, 8, 11])
def test_choices_of_few_ports(offered: int, samples: int) -> None:
    """Where each port has candidates of its own, as a convolution's; sums of integers are exact."""
    columns, grad = binary(13, samples), torch.randint(-3, 4, (5, samples)).float()
    candidates = torch.stack([torch.randperm(13)[:offered] for _ in range(5)])
    words = kernels.packed(columns)
    assert words is not None
    found = kernels.choice_gradient(grad, columns, words, candidates, torch.Size([5, 1, offered]))
    expected = torch.stack([(2 * columns[among] - 1) @ row for among, row in zip(candidates, grad, strict=True)])
    assert found is not None
    torch.testing.assert_close(found[:, 0], expected, rtol=0, atol=0)


def test_without_a_compiler_pytorch_does_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    native._loaded.cache_clear()
    caplog.set_level(logging.INFO, logger="difflut")
    assert kernels.packed(binary(9, 3)) is None
    assert "CC=no-such-compiler is no program" in caplog.text
    native._loaded.cache_clear()


def test_other_bits_go_to_pytorch() -> None:
    module = LearnableConnections(5, 4)
    columns = torch.rand(5, 3).requires_grad_()
    module(columns).sum().backward()
    assert module.weight.grad is not None
    torch.testing.assert_close(module.weight.grad[0], (2 * columns.detach() - 1).sum(dim=1).expand(4, 5))


@pytest.mark.parametrize("samples", [0, 1, 9, 300])
@pytest.mark.parametrize("n", range(1, 9))
def test_lookups(n: int, samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of entries at the threshold, inputs of 1/2 and others that are no bits, and gradients with gaps."""
    inputs = (torch.rand(19, n, samples) * 4).round() / 4 * 1.5
    table, slopes = torch.randint(-1, 2, (19, 1 << n)).float(), torch.randn(n, 19, 1 << n).transpose(0, 1)
    grad = torch.randn(samples, 19).t()
    results = []
    for native_too in ("1", "0"):
        monkeypatch.setenv(native.VARIABLE, native_too)
        for threshold in (0.0, 0.5):
            for wanted in ((True, True), (True, False), (False, True)):
                given = [
                    tensor.clone().requires_grad_(needed)
                    for tensor, needed in zip((inputs, table), wanted, strict=True)
                ]
                outputs = hard_lookup(given[0], given[1], slopes if wanted[0] else None, threshold)
                outputs.backward(grad)
                results += [outputs.detach(), *[tensor.grad for tensor in given]]
    half = len(results) // 2
    torch.testing.assert_close(results[:half], results[half:], rtol=0, atol=0)


class Steeper(DWNStableNodes):
    """Nodes with weights of their own."""

    @staticmethod
    def _weights(distance: Tensor, n: int) -> Tensor:
        return 2.0 ** -(distance + n)


@pytest.mark.parametrize("family", [DWNStableNodes, Steeper])
@pytest.mark.parametrize("n", range(1, 9))
def test_slopes(n: int, family: type[DWNStableNodes], monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = family(11, n)
    found = nodes._slopes()
    monkeypatch.setenv(native.VARIABLE, "0")
    torch.testing.assert_close(found, nodes._slopes(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["dwn", "dwn_stable", "hybrid"])
@pytest.mark.parametrize("connections", ["random", "learnable"])
@pytest.mark.parametrize("threads", [1, 3])
def test_layers(family: str, connections: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two, one behind the other, with all that they train."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    first, second = LUTLayer(30, 20, 4, family, connections), LUTLayer(20, 12, 3, family)
    bits = binary(30, 77).t()

    def results(native_too: str) -> list[Tensor]:
        monkeypatch.setenv(native.VARIABLE, native_too)
        parameters = [*first.parameters(), *second.parameters()]
        outputs = second(first(bits))
        return [outputs.detach(), *torch.autograd.grad(outputs.square().sum(), parameters)]

    for ours, expected in zip(results("1"), results("0"), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("window", [(2, 2), (3, 2), (1, 1)])
@pytest.mark.parametrize("layout", [(0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 3, 2)])
def test_pooling(window: tuple[int, int], layout: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of bits, so with many equal values, and of others; images that fill their windows or not, however they lie."""
    images = torch.cat([torch.rand(3, 2, 6, 13).round(), torch.rand(1, 2, 6, 13)]).permute(layout)
    results = []
    for native_too in ("1", "0"):
        monkeypatch.setenv(native.VARIABLE, native_too)
        given = images.clone().permute(layout).requires_grad_()
        outputs = or_pool(given, window)
        (grad,) = torch.autograd.grad(
            outputs, given, torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0))
        )
        results.append((outputs, grad))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


class Doubled(DWNStableNodes):
    """Nodes with a forward of their own."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


def test_nodes_may_have_a_forward_of_their_own() -> None:
    bits = binary(30, 7).t()
    assert float(LUTLayer(30, 20, 4, Doubled)(bits).detach().max()) == 2


def test_hooks_of_nodes_are_called() -> None:
    layer, seen = LUTLayer(30, 20, 4), []
    layer.nodes.register_forward_hook(lambda *call: seen.append(call[2].shape))
    layer(binary(30, 7).t())
    assert seen == [(20, 7)]
