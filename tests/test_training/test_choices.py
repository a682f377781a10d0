"""Updates of learned connections: those of torch's Adam, with their gradients or without."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tools import require_tool
from torch import Tensor, nn

from difflut import native
from difflut.models import FullyConnected
from difflut.training.choices import ChoiceUpdates

Make = Callable[[nn.Module], torch.optim.Optimizer]


@pytest.fixture(autouse=True)
def with_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("cc")
    monkeypatch.delenv(native.VARIABLE, raising=False)


def network(**options: Any) -> FullyConnected:
    torch.manual_seed(0)
    chosen = {"connections": "learnable"}
    connections = ({**chosen, "candidates": 20}, chosen)
    model = FullyConnected("net", (7, 7), 3, (14, 12), n=4, bits=2, connections=connections, **options)
    return model.fit_encoder(torch.randint(0, 256, (80, 7, 7), dtype=torch.uint8)).train()


def adam(model: nn.Module, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.02, fused=True, **options)


def loss_of(model: FullyConnected, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    x = torch.randint(0, 256, (70, 7, 7), generator=generator, dtype=torch.uint8)
    return nn.functional.cross_entropy(model(x), torch.randint(0, 3, (70,), generator=generator))


def train(model: FullyConnected, optimizer: torch.optim.Optimizer, ours: bool, loss: Callable[..., Tensor]) -> None:
    updates = ChoiceUpdates(model, optimizer, alone=ours)
    for step in range(4):
        optimizer.zero_grad()
        with updates.deferred():
            loss(model, step).backward()
        updates.step()
        model.project()


def assert_same(loss: Callable[..., Tensor], make: Make = adam, **options: Any) -> tuple[FullyConnected, Any]:
    """Our updates and the optimizer's give the same parameters and the same state."""
    ours, expected = network(**options), network(**options)
    optimizers = make(ours), make(expected)
    train(ours, optimizers[0], True, loss)
    train(expected, optimizers[1], False, loss)
    torch.testing.assert_close(ours.state_dict(), expected.state_dict(), rtol=1e-4, atol=2e-5)
    states = [optimizer.state_dict()["state"] for optimizer in optimizers]
    torch.testing.assert_close(states[0], states[1], rtol=1e-4, atol=1e-6)
    return ours, optimizers[0]


def test_the_steps_of_adam() -> None:
    model, optimizer = assert_same(loss_of)
    for _, layer in model.lut_layers():
        assert layer.learnable is not None and layer.learnable.weight.grad is None  # it was not needed
        assert len(optimizer.state[layer.learnable.weight]) == 3


def test_after_the_state_was_loaded() -> None:
    def make(model: nn.Module) -> torch.optim.Optimizer:
        first, again = adam(model), adam(model)
        train(model, first, False, loss_of)  # type: ignore[arg-type]
        again.load_state_dict(copy.deepcopy(first.state_dict()))
        return again

    assert_same(loss_of, make)


@pytest.mark.parametrize("options", [{"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}])
def test_what_the_kernel_does_not_know_is_the_optimizers(options: dict[str, Any]) -> None:
    model, _ = assert_same(loss_of, lambda model: adam(model, **options))
    assert all(p.grad is not None for p in model.parameters())


def test_another_optimizer() -> None:
    model, _ = assert_same(loss_of, lambda model: torch.optim.SGD(model.parameters(), lr=0.1))
    assert all(p.grad is not None for p in model.parameters())


def test_weights_in_the_loss() -> None:
    def loss(model: FullyConnected, step: int) -> Tensor:
        choice = model.lut_layers()[0][1].learnable
        assert choice is not None
        return loss_of(model, step) + choice.weight.square().mean()

    assert_same(loss)


def test_a_layer_that_is_called_twice() -> None:
    assert_same(lambda model, step: loss_of(model, step) + loss_of(model, step + 100))


def test_soft_bits() -> None:
    """The second layer's bits are no bits: its gradient is PyTorch's."""
    model, _ = assert_same(loss_of, family="probabilistic")
    first, second = (layer.learnable for _, layer in model.lut_layers())
    assert first is not None and second is not None
    assert first.weight.grad is None and second.weight.grad is not None


def test_who_waits_for_the_gradient_gets_it() -> None:
    model, seen = network(), []
    choice = model.lut_layers()[0][1].learnable
    assert choice is not None
    choice.weight.register_hook(seen.append)
    train(model, adam(model), True, loss_of)
    assert len(seen) == 4


def test_a_change_after_the_step_counts() -> None:
    model = network()
    updates = ChoiceUpdates(model, adam(model), alone=True)
    with updates.deferred():
        loss_of(model, 0).backward()
    updates.step()
    choice = model.lut_layers()[0][1].learnable
    assert choice is not None
    with torch.no_grad():
        choice.weight.neg_()
    chosen = choice.selected()
    assert torch.equal(chosen, choice.eval().selected())


def test_a_loss_that_fails_leaves_nothing() -> None:
    model = network()
    updates = ChoiceUpdates(model, adam(model), alone=True)
    with pytest.raises(RuntimeError), updates.deferred():
        raise RuntimeError
    loss_of(model, 0).backward()
    assert all(p.grad is not None for p in model.parameters())
