"""Encoders other than thermometers: their code words, the circuits that give them, and models that use them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import small_models
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import Chain, fitted, random_codes
from tools import require_icarus
from torch import Tensor

from difflut.check.verification import verify
from difflut.encoders import (
    ENCODERS,
    Binary,
    CodeEncoder,
    DistributiveThermometer,
    Encoder,
    Gray,
    OneHot,
    SignMagnitude,
    make_encoder,
)
from difflut.encoders.circuit import CodeCircuit
from difflut.errors import CheckpointError, ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.models import BaseModel
from difflut.training import predict_scores

CODES = [OneHot, Binary, Gray, SignMagnitude]
DOCUMENT = Path(__file__).parents[1] / "docs" / "encoders.md"


def all_levels(levels: int) -> Tensor:
    """bool (levels, levels - 1): the comparisons of every level."""
    return torch.arange(levels)[:, None] > torch.arange(levels - 1)


def integers(bits: Tensor) -> Tensor:
    """int64 (...): unsigned integers from bits (..., n), least significant first."""
    return (bits.long() << torch.arange(bits.shape[-1])).sum(dim=-1)


# Code words


def test_one_hot_words() -> None:
    encoder = OneHot(4).fit(torch.tensor([[0.0], [4.0]]))
    assert encoder.thresholds.tolist() == [[1.0, 2.0, 3.0]]
    levels = encoder(torch.tensor([[0.5], [1.5], [2.5], [3.5]]))
    assert torch.equal(levels, torch.eye(4, dtype=torch.bool))


def test_binary_words() -> None:
    encoder = Binary(3).fit(torch.tensor([[0.0], [8.0]]))
    assert encoder.thresholds.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]
    assert integers(encoder(torch.arange(0.5, 8.0)[:, None])).tolist() == list(range(8))


def test_gray_words() -> None:
    encoder = Gray(3).fit(torch.tensor([[0.0], [8.0]]))
    assert encoder.thresholds.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]
    words = encoder(torch.arange(0.5, 8.0)[:, None])
    assert integers(words).tolist() == [0b000, 0b001, 0b011, 0b010, 0b110, 0b111, 0b101, 0b100]


@pytest.mark.parametrize("bits", range(1, 9))
def test_gray_neighbours_differ_in_one_bit(bits: int) -> None:
    words = Gray(bits).words()
    assert bool(((words[1:] != words[:-1]).sum(dim=1) == 1).all())
    assert len(set(integers(words).tolist())) == 1 << bits


def test_sign_magnitude_words() -> None:
    """Magnitudes are floor(|x| / highest * 4), here with whole thresholds, and a value at a threshold not above it."""
    encoder = SignMagnitude(3).fit(torch.tensor([[-2.0], [4.0]]))
    x = torch.tensor([-9.0, -4.0, -3.0, -2.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 3.0, 3.5, 9.0])
    bits = encoder(x[:, None])
    assert bits[:, 2].tolist() == [value < 0 for value in x.tolist()]
    assert integers(bits[:, :2]).tolist() == [3, 3, 2, 2, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3]


def test_sign_magnitude_is_symmetric() -> None:
    generator = torch.Generator().manual_seed(0)
    encoder = SignMagnitude(5).fit(torch.randn(50, 3, generator=generator))
    above = encoder.thresholds[:, 16:].t()
    x = torch.cat([torch.randn(500, 3, generator=generator).abs() + 1e-6, above])
    positive, negative = encoder(x).unflatten(1, (3, 5)), encoder(-x).unflatten(1, (3, 5))
    assert torch.equal(positive[..., :4], negative[..., :4])
    assert not bool(positive[..., 4].any())
    assert bool(negative[..., 4].all())


def test_sign_of_a_feature_that_is_always_zero() -> None:
    encoder = SignMagnitude(3).fit(torch.zeros(4, 1))
    bits = encoder(torch.tensor([[-1.0], [-0.0], [0.0], [1.0]]))
    assert bits[:, 2].tolist() == [True, False, False, False]
    assert integers(bits[:, :2]).tolist() == [3, 0, 0, 3]


@pytest.mark.parametrize(("kind", "bits"), [(OneHot, 1), (SignMagnitude, 1), (Binary, 0), (Gray, -1)])
def test_too_few_bits(kind: type[CodeEncoder], bits: int) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(bits)
    assert str(caught.value) == f"{kind.__name__}: bits is {bits}; it must be at least {kind.least_bits}"


@pytest.mark.parametrize("kind", [Binary, Gray, SignMagnitude])
def test_too_many_bits(kind: type[CodeEncoder]) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(17)
    assert (
        str(caught.value) == f"{kind.__name__}: bits is 17; it must be at most 16, the width of the widest input code"
    )


def test_levels_at_quantiles() -> None:
    """The documented way to other levels."""

    class QuantileOneHot(DistributiveThermometer, OneHot):
        pass

    x = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0)) ** 4
    counts = QuantileOneHot(4).fit(x)(x).sum(dim=0)
    assert counts.tolist() == [251, 250, 250, 249]


class Own(CodeEncoder):
    """A code with the given words."""

    def __init__(self, words: list[list[int]]) -> None:
        self.given = words
        super().__init__(2)

    def words(self) -> Tensor:
        return torch.tensor(self.given, dtype=torch.bool)


def test_own_code() -> None:
    encoder = Own([[1, 0], [1, 1], [0, 0]]).fit(torch.tensor([[0.0], [3.0]]))
    assert encoder(torch.tensor([[0.5], [1.5], [2.5]])).long().tolist() == [[1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [[0, 1]] * 2,
            "Own.words: gave torch.bool (2, 2); expected torch.bool (thresholds_per_feature + 1, bits) = (3, 2)",
        ),
        ([[0, 1], [1, 1], [0, 1]], "Own.words: bit 1 is the same in all levels; leave it out"),
    ],
)
def test_own_code_that_is_none(words: list[list[int]], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Own(words)
    assert str(caught.value) == message


# Circuits


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 11])
def test_circuit_gives_the_word_of_every_level(kind: type[CodeEncoder], bits: int) -> None:
    encoder = kind(bits)
    words = encoder.words()
    assert torch.equal(encoder.circuit(all_levels(len(words))), words)


@settings(max_examples=50, deadline=None)
@given(levels=st.integers(2, 60), bits=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_circuit_of_any_words(levels: int, bits: int, seed: int) -> None:
    words = torch.rand(levels, bits, generator=torch.Generator().manual_seed(seed)) < 0.5
    words[-1] = torch.where((words == words[0]).all(dim=0), ~words[0], words[-1])
    circuit = CodeCircuit(words)
    assert torch.equal(circuit(all_levels(levels)), words)


@pytest.mark.parametrize("levels", [2, 3, 7, 8, 37, 38, 217, 218, 400])
def test_a_parity_is_a_tree_of_fewest_and_then_of_least_depth(levels: int) -> None:
    words = torch.arange(levels)[:, None] % 2 == 1
    circuit = CodeCircuit(words)
    inputs = levels - 1
    assert circuit.luts == math.ceil((inputs - 1) / 5)
    assert circuit.depth == next(depth for depth in range(9) if 6**depth >= inputs)


def test_bits_that_are_comparisons_need_no_lookup() -> None:
    comparisons = all_levels(4)
    circuit = CodeCircuit(comparisons)
    assert (circuit.luts, circuit.depth, circuit.steps) == (0, 0, 0)
    assert torch.equal(circuit(comparisons), comparisons)


def test_documented_costs() -> None:
    """The table of lookups and depths in docs/encoders.md."""
    rows = re.findall(r"^\| (\d+) \|" + r" (\d+), (\d+) \|" * 4 + "$", DOCUMENT.read_text(), re.MULTILINE)
    assert [int(row[0]) for row in rows] == list(range(2, 9))
    for bits, *costs in rows:
        found = [str(cost) for kind in CODES for cost in (kind(int(bits)).circuit.luts, kind(int(bits)).circuit.depth)]
        assert costs == found, bits


# Models


class EncoderOnly(BaseModel):
    """Each score is one bit of the encoder."""

    def __init__(self, encoder: Encoder, features: int, input_format: InputFormat | None = None) -> None:
        super().__init__("bits", features, features * encoder.bits, input_format=input_format)
        self.encoder = encoder

    def _build_layers(self) -> None:
        self.head = GroupSum(self.num_classes)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


def assert_circuit_agrees(model: BaseModel, codes: Tensor) -> Tensor:
    """The netlist's scores of the codes equal the model's, which are returned."""
    netlist = trace(model)
    check(netlist)
    scores, classes = predict_scores(model, codes)
    outputs = simulate(netlist, codes.numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())
    return scores


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("form", [InputFormat(), InputFormat(8, True, 16.0)], ids=["unsigned", "signed"])
def test_every_code_of_a_feature(name: str, bits: int, form: InputFormat) -> None:
    """Three features: one spread over the codes, one constant, one of two values; each goes through all its codes."""
    training = torch.tensor([[form.lowest, 5, 0], [form.highest, 5, 100], [7, 5, 0]])
    if name == "logarithmic":
        training = training.clamp(min=0)
    codes = form.all_codes().int()[:, None] * torch.eye(3, dtype=torch.int32)[:, None]
    model = EncoderOnly(make_encoder(name, bits), 3, form).fit_encoder(training).eval()
    scores = assert_circuit_agrees(model, codes.reshape(-1, 3))
    assert torch.equal(scores, model.encoder(form.values(codes.reshape(-1, 3))).long())
    first = scores[: 1 << form.width_bits, :bits]
    if name in ("binary", "gray"):
        assert len(first.unique(dim=0)) == 1 << bits
    if name == "sign_magnitude" and form.signed:  # with eight bits 0 and 1/16 share a level, -1/16 has one of its own
        assert len(first.unique(dim=0)) == min(1 << bits, 255)
    if name == "one_hot":
        assert bool((first.sum(dim=1) == 1).all())


@pytest.mark.parametrize("name", ENCODERS)
def test_a_trained_model_is_its_circuit(name: str) -> None:
    model = Chain(3, ((12, 3), (8, 2)), 4)
    model.encoder = make_encoder(name, 3)
    fitted(model).train()
    codes, labels = random_codes(model, 32), torch.arange(32) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(codes), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.project()
    assert any(not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    assert_circuit_agrees(model.eval(), random_codes(model, 300, seed=1))


@pytest.mark.parametrize("name", ENCODERS)
def test_checkpoints(name: str, tmp_path: Path) -> None:
    def make() -> BaseModel:
        model = Chain(3)
        model.encoder = make_encoder(name, 3)
        return model

    model = fitted(make())
    for frozen in (False, True):
        model.save_checkpoint(tmp_path / "model", frozen=frozen)
        loaded = make().load_checkpoint(tmp_path / "model")
        codes = random_codes(model, 50)
        assert torch.equal(loaded(codes), model(codes))


def test_checkpoints_hold_the_thresholds_alone() -> None:
    model = Chain(3)
    model.encoder = Gray(4)
    assert [key for key in fitted(model).state_dict() if key.startswith("encoder.")] == ["encoder.thresholds"]


def test_a_checkpoint_with_another_number_of_thresholds(tmp_path: Path) -> None:
    fitted(Chain(3, bits=3)).save_checkpoint(tmp_path / "model")
    other = Chain(3)
    other.encoder = Binary(3)
    with pytest.raises(CheckpointError, match=r"thresholds is torch.float32 \(3, 3\), expected torch.float32 \(3, 7\)"):
        other.load_checkpoint(tmp_path / "model")


def test_a_code_reaches_the_rtl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code of two levels of lookups, which become pipeline stages before the first layer."""
    require_icarus()

    class Coded(Chain):
        def __init__(self) -> None:
            super().__init__(3, name="coded")
            self.encoder = Binary(4)

    monkeypatch.setattr(small_models, "Coded", Coded, raising=False)
    build = make_build(fitted(Coded()))
    store.write(build, tmp_path / "coded")
    report = verify(tmp_path / "coded", data=None, data_name="", simulator="icarus", model_class="small_models:Coded")
    assert report.ok
    assert [(step.random, step.mismatches) for step in report.steps] == [(100, 0)] * 2
