"""An export compares its model, its circuit and its own checkpoint before anything is written."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run
from small_models import Chain, SmallImages, fitted
from torch import Tensor, nn

from difflut.data import mnist_test, mnist_test_images
from difflut.encoders import Thermometer
from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.self_check import drawn_codes, self_check
from difflut.export.circuit.circuit import Circuit
from difflut.export.errors import SelfCheckError
from difflut.export.frontend.trace import trace
from difflut.input_format import InputFormat
from difflut.models import BaseModel

LEAK = "model 'chain': loaded from its own checkpoint it has other scores for"


class Attribute(Chain):
    """A permutation in a plain attribute, drawn anew by each constructor."""

    def __init__(self) -> None:
        super().__init__()
        self.order = torch.randperm(12)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.layers[1](self.layers[0](self.encoder(x)[:, self.order])))


class Shuffle(nn.Module):
    """A buffer that is left out of checkpoints, or not."""

    def __init__(self, persistent: bool) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(12), persistent=persistent)

    def forward(self, bits: Tensor) -> Tensor:
        return bits[:, self.order]


class Buffer(Chain):
    def __init__(self, persistent: bool) -> None:
        super().__init__()
        self.mix = Shuffle(persistent)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.layers[1](self.layers[0](self.mix(self.encoder(x)))))


class Order(Chain):
    """Reads a number that somebody sets later, in a list, out of NumPy's random numbers or in any other way."""

    orders: list[object]

    def __init__(self) -> None:
        super().__init__()
        self.orders = [np.array([0]), {"order": np.random.permutation(12)}]

    def _forward_impl(self, x: Tensor) -> Tensor:
        order = torch.from_numpy(self.orders[1]["order"])  # type: ignore[index]
        return self.head(self.layers[1](self.layers[0](self.encoder(x)[:, order])))


class Restless(Chain):
    """Another function each time it is called."""

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.layers[1](self.layers[0](self.encoder(x)[:, torch.randperm(12)])))


@pytest.mark.parametrize(
    ("make", "lost"),
    [
        (Attribute, "what differs and is in no checkpoint: order. Keep it by self.register_buffer(name, tensor)"),
        (lambda: Buffer(False), "what differs and is in no checkpoint: mix.order. Keep it by self.register_buffer"),
        (Order, "what differs and is in no checkpoint: orders. Keep it by"),
    ],
)
def test_a_function_that_is_not_in_the_checkpoint_is_not_exported(
    tmp_path: Path, make: type[BaseModel], lost: str
) -> None:
    out = tmp_path / "net"
    export_model(fitted(Chain()), out)
    before = store.read(out).digest
    model = fitted(make())
    torch.manual_seed(0)  # as when the model was made
    with pytest.raises(SelfCheckError) as caught:
        export_model(model, out)
    assert str(caught.value).startswith(LEAK) and lost in str(caught.value)
    assert store.read(out).digest == before
    with pytest.raises(SelfCheckError):
        export_model(model, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_forward_of_random_numbers_is_not_exported() -> None:
    with pytest.raises(SelfCheckError, match="depends on something that is in no attribute, such as random numbers"):
        make_build(fitted(Restless()))


def test_what_is_in_the_checkpoint_or_in_the_constructors_arguments_is_exported() -> None:
    make_build(fitted(Buffer(True)))
    make_build(fitted(Chain(5, ((9, 3), (6, 2)), 3, name="other", bits=1)))
    make_build(fitted(SmallImages()), form="streaming")


def test_the_command_refuses_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fitted(Attribute())
    model.save_checkpoint(tmp_path / "net.safetensors")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    status, _, errors = run(
        capsys,
        "export",
        tmp_path / "net.safetensors",
        "--model",
        "test_self_check:Attribute",
        "--out",
        tmp_path / "net",
    )
    assert status == 2 and LEAK in errors and "order" in errors
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("bits", [8, 16])
def test_a_wrong_circuit_is_noticed_whatever_the_format(bits: int) -> None:
    """Thresholds of the 16-bit format lie within a thousandth of its codes."""
    model = Chain(2, ((2, 2),), 2, bits=1, input_format=InputFormat(bits, True, 4096.0))
    model.encoder = Thermometer(1)
    model.fit_encoder(torch.tensor([[0.001, 0.002], [0.002, 0.003]])).eval()
    circuit = Circuit.of(trace(model))
    checkpoint = model.checkpoint_bytes(frozen=True)
    self_check(model, circuit, checkpoint)
    body = circuit.body
    wrong = replace(circuit, body=replace(body, compare_threshold=body.compare_threshold + 1))
    with pytest.raises(SelfCheckError, match="model 'chain': its circuit has other scores for"):
        self_check(model, wrong, checkpoint)


def test_real_samples_are_compared_too() -> None:
    """Random codes hardly ever set all features alike; these samples do."""
    model = fitted(Chain(6, ((1, 6),), 1, bits=1, name="and"))
    circuit = Circuit.of(trace(model))
    checkpoint = model.checkpoint_bytes(frozen=True)
    generator = torch.Generator().manual_seed(1)
    drawn = {tuple(row) for row in drawn_codes(model).tolist()}
    sample = torch.randint(0, 256, (1, 6), generator=generator)
    assert tuple(sample[0].tolist()) not in drawn
    self_check(model, circuit, checkpoint, sample)
    with pytest.raises(Exception, match="codes"):  # so they are looked at
        self_check(model, circuit, checkpoint, sample + 256)


def test_images_of_the_package_are_those_of_the_test_set() -> None:
    assert torch.equal(mnist_test_images(3), mnist_test().x[:3])


def test_an_export_draws_no_random_number_of_the_users() -> None:
    model = fitted(Chain())
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()
    make_build(model)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[:2]
    assert torch.equal(torch.random.get_rng_state(), before[2])


class Counted(Chain):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        Counted.made += 1
        if Counted.made > 1:
            raise OSError("the file is gone")


def test_a_model_that_cannot_be_made_again_is_refused() -> None:
    with pytest.raises(SelfCheckError, match=r"Counted cannot be made a second time .*OSError: the file is gone"):
        make_build(fitted(Counted()))
