"""The kernels for a GPU give what PyTorch does, as Triton's interpreter runs them on a CPU."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from tools import require_package
from torch import Tensor

import difflut
from difflut import gpu, kernels, native
from difflut.layers import LearnableConnections, LUTLayer
from difflut.nodes import DWNNodes
from difflut.nodes.relaxation import hard_lookup, wired_lookup

SAMPLES = [0, 33, 600]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tensors on a CPU count as a GPU's, and no kernels are loaded yet."""
    monkeypatch.setenv(gpu.INTERPRETER, "1")
    torch.manual_seed(0)
    forget()
    yield
    forget()


def forget() -> None:
    """Triton decides as a kernel's module is imported whether it will be interpreted."""
    sys.modules.pop("difflut.gpu_kernels", None)
    vars(difflut).pop("gpu_kernels", None)
    gpu._kernels.cache_clear()


@pytest.fixture
def interpreted(fresh: None) -> None:
    require_package("triton", "gpu")
    assert gpu.takes(torch.zeros(3))


def both(
    results: Callable[[], list[Tensor | None]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Tensor, Tensor]]:
    """What the kernels give, and PyTorch without any."""
    calls = []
    for name in ("look_up", "row_gradient", "table_gradient", "choice_gradient"):
        own = getattr(gpu, name)
        monkeypatch.setattr(gpu, name, lambda *given, own=own, name=name: calls.append(name) or own(*given))
    ours = results()
    assert calls
    calls.clear()
    monkeypatch.setenv(native.VARIABLE, "0")
    expected = results()
    assert not calls
    for found, wanted in zip(ours, expected, strict=True):
        assert (found is None) == (wanted is None)
        if found is not None and wanted is not None:
            yield found, wanted


@pytest.mark.full
@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("n", [1, 6, 8])
def test_lookups(n: int, samples: int, interpreted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of entries at the threshold, inputs of 1/2 and others that are no bits."""
    inputs = (torch.rand(9, n, samples) * 4).round() / 4 * 1.5
    table, slopes = torch.randint(-1, 2, (9, 1 << n)).float(), torch.randn(n, 9, 1 << n).transpose(0, 1)
    grad = torch.randn(samples, 9).t()

    def results() -> list[Tensor | None]:
        found: list[Tensor | None] = []
        for threshold in (0.0, 0.5):
            for wanted in ((True, True), (True, False), (False, True)):
                given = [tensor.clone().requires_grad_(on) for tensor, on in zip((inputs, table), wanted, strict=True)]
                outputs = hard_lookup(given[0], given[1], slopes if wanted[0] else None, threshold)
                outputs.backward(grad)
                found += [outputs.detach(), *[tensor.grad for tensor in given]]
        return found

    for number, (ours, expected) in enumerate(both(results, monkeypatch)):
        exact = number % 7 in (0, 1, 3, 4, 5)  # outputs, and gradients of inputs, which are products
        torch.testing.assert_close(ours, expected, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-5)


@pytest.mark.full
@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("n", [1, 6])
def test_wired_lookups(n: int, samples: int, interpreted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of columns that many ports read, one port or none."""
    columns, nodes = torch.rand(12, samples).round(), DWNNodes(20, n)
    connections = torch.randint(0, 9, (20, n))
    connections[0, 0] = 11
    slopes = nodes._slopes()
    assert kernels.wires(columns, nodes.table)

    def results() -> list[Tensor | None]:
        given, table = columns.clone().requires_grad_(), nodes.table.detach().clone().requires_grad_()
        if kernels.wires(columns, table):
            outputs = wired_lookup(given, connections, table, slopes)
        else:
            outputs = hard_lookup(given[connections.view(-1)].view(20, n, -1), table, slopes, threshold=0.0)
        (outputs * torch.linspace(-1, 1, 20)[:, None]).sum().backward()
        return [outputs.detach(), given.grad, table.grad]

    (outputs, expected), *gradients = both(results, monkeypatch)
    assert torch.equal(outputs, expected)
    torch.testing.assert_close(*zip(*gradients, strict=True), rtol=1e-5, atol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize(("width", "ports", "candidates"), [(20, 70, 5), (130, 90, 70)])
def test_choices(
    width: int, ports: int, candidates: int, samples: int, interpreted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = LearnableConnections(width, ports, candidates)
    bits, grad = torch.rand(width, samples).round(), torch.randn(ports, samples)

    def results() -> list[Tensor | None]:
        module.zero_grad()
        outputs = module(bits)
        outputs.backward(grad)
        return [outputs.detach(), module.weight.grad]

    (outputs, expected), (gradient, expected_gradient) = both(results, monkeypatch)
    assert torch.equal(outputs, expected)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.full
@pytest.mark.parametrize("family", ["dwn", "dwn_stable", "hybrid"])
@pytest.mark.parametrize("candidates", [None, 10])
def test_layers(family: str, candidates: int | None, interpreted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two, one behind the other, with all that they train; what they then are in eval mode is no kernel's."""
    first, second = LUTLayer(30, 20, 4, family, "learnable", candidates), LUTLayer(20, 12, 3, family)
    bits = torch.rand(77, 30).round()

    def results() -> list[Tensor | None]:
        parameters = [*first.parameters(), *second.parameters()]
        outputs = second(first(bits))
        return [outputs.detach(), *torch.autograd.grad(outputs.square().sum(), parameters)]

    for ours, expected in both(results, monkeypatch):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.full
@pytest.mark.parametrize("capability", [80, 90])
def test_gpus_have_machine_code(capability: int, fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which needs no GPU; what it computes there is not tested."""
    require_package("triton", "gpu")
    monkeypatch.delenv(gpu.INTERPRETER)
    from triton import compile as compiled
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from difflut import gpu_kernels

    types = {"addresses": "*u8", "connections": "*i64", "ports": "*i64", "starts": "*i64", "candidates": "*i64"}
    types |= dict.fromkeys(("rows", "table", "outputs", "grad", "slopes", "columns", "weights"), "*fp32")
    constants = {"n": 6, "wired": True, "block": 32, "tile": 64}
    for name in ("look_up", "row_gradient", "table_gradient", "choice_gradient"):
        function = getattr(gpu_kernels, name)
        constant = {arg: constants[arg] for arg in function.arg_names if arg in constants}
        signature = {arg: types.get(arg, "i32") for arg in function.arg_names} | {"threshold": "fp32"}
        if name == "choice_gradient":
            signature["ports"] = "i32"
        signature = {arg: "constexpr" if arg in constant else signature[arg] for arg in function.arg_names}
        made = compiled(ASTSource(function, signature, constant), target=GPUTarget("cuda", capability, 32))
        assert made.asm["cubin"]


def test_a_cpu_is_no_gpu() -> None:
    assert not gpu.takes(torch.zeros(3))


def test_without_triton_pytorch_does_it(
    fresh: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    caplog.set_level(logging.INFO, logger="difflut")
    layer = LUTLayer(30, 20, 4)
    layer(torch.rand(7, 30).round()).sum().backward()
    assert layer.nodes.table_values().grad is not None
    assert "training goes on without Triton's kernels: " in caplog.text
