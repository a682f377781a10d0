"""Tracing: the netlist computes what the model computes, and what has no circuit is refused by name and line."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import Chain, Custom, Moves, fitted, random_codes
from torch import Tensor, nn
from torch.nn import functional

from difflut.encoders import Encoder, Gray
from difflut.errors import NotFittedError
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import TraceError
from difflut.export.frontend.numbers import code_thresholds
from difflut.export.frontend.trace import trace
from difflut.input_format import InputFormat
from difflut.models import BaseModel
from difflut.training import predict_scores


def assert_same_function(model: BaseModel, samples: int = 200, seed: int = 1) -> None:
    netlist = trace(model)
    check(netlist)
    codes = random_codes(model, samples, seed)
    scores, classes = predict_scores(model, codes)
    outputs = simulate(netlist, codes.reshape(samples, -1).numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())


@pytest.mark.parametrize("make", [Custom, Chain, Moves])
def test_netlist_computes_what_the_model_computes(make: type[BaseModel]) -> None:
    assert_same_function(fitted(make()))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_networks(data: st.DataObject) -> None:
    classes = data.draw(st.integers(1, 4))
    shape = data.draw(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 8)), max_size=2))
    last = (classes * data.draw(st.integers(1, 4)), data.draw(st.integers(1, 8)))
    form = data.draw(
        st.builds(
            InputFormat,
            width_bits=st.integers(1, 12),
            signed=st.booleans(),
            divisor=st.sampled_from([1.0, 3.0, 16.0, 255.0]),
        )
    )
    features, bits, seed = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3)), data.draw(st.integers(0, 1000))
    model = Chain(features, (*shape, last), classes, bits=bits, input_format=form, tau=0.3)
    assert_same_function(fitted(model, seed), samples=70, seed=seed)


def test_origin_names_layer_and_node() -> None:
    netlist = trace(fitted(Chain(layers=((12, 3), (8, 2)))))
    assert netlist.lut_layer.tolist() == [1] * 12 + [2] * 8
    assert netlist.lut_node.tolist() == [*range(12), *range(8)]
    assert netlist.name == "chain"


def test_lookups_of_the_encoder_are_no_layer() -> None:
    """Three features with a Gray code of four bits: four LUTs each."""
    model = Chain(3, layers=((12, 3), (8, 2)))
    model.encoder = Gray(4)
    netlist = trace(fitted(model))
    assert netlist.lut_layer.tolist() == [-1] * 12 + [1] * 12 + [2] * 8
    assert netlist.lut_node.tolist() == [-1] * 12 + [*range(12), *range(8)]


def test_an_encoder_may_be_called_after_a_layer() -> None:
    class Twice(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            first = self.layers[0](self.encoder(x))
            return self.head(torch.cat([first, self.encoder(x.flip(1))], dim=1))

    model = Twice(3, layers=((12, 3),))
    model.encoder = Gray(4)
    assert_same_function(fitted(model))
    assert trace(model).lut_layer.tolist().count(-1) == 24


def test_training_mode_is_restored() -> None:
    model = fitted(Chain()).train()
    trace(model)
    assert model.training
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("form", [InputFormat(), InputFormat(5, True, 4.0), InputFormat(16, False, 7.0)])
def test_thresholds_agree_for_every_code(form: InputFormat) -> None:
    codes = form.all_codes()
    values = form.values(codes)
    between = (values[:-1] + values[1:]) / 2
    thresholds = torch.cat([values, between, values - 1e-7, torch.tensor([-1e9, 1e9])])[::37]
    levels = code_thresholds(form, thresholds)
    expected = values[:, None] > thresholds[None]
    np.testing.assert_array_equal(codes.numpy()[:, None] >= levels.numpy()[None], expected.numpy())


def test_unfitted_model_is_refused() -> None:
    with pytest.raises(NotFittedError, match="model 'chain' is not fitted, so it has no circuit"):
        trace(Chain())


class _Refused(Chain):
    """A chain whose logits or bits go through something else."""

    step = staticmethod(lambda bits: bits)
    tail = staticmethod(lambda logits: logits)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x)
        bits = self.step(bits)
        for layer in self.layers:
            bits = layer(bits)
        logits = self.head(bits)
        return self.tail(logits)


@pytest.mark.parametrize(
    ("attribute", "function", "operator"),
    [
        ("step", lambda bits: ~bits, "bitwise_not"),
        ("step", lambda bits: bits & bits.flip(1), "__and__"),
        ("step", lambda bits: bits.float().cumsum(1) > 1, "cumsum"),
        ("tail", lambda logits: -logits, "neg"),
        ("tail", lambda logits: logits * -2.0, "mul"),
        ("tail", lambda logits: logits + torch.arange(4.0), "add"),
        ("tail", lambda logits: logits + 1e6, "add"),
        ("tail", lambda logits: torch.add(logits, logits), "add"),
        ("tail", lambda logits: torch.softmax(logits, dim=0), "softmax"),
        ("tail", lambda logits: torch.softmax(torch.softmax(logits, dim=1), dim=1), "softmax"),
        ("tail", lambda logits: torch.log_softmax(logits / 1e6, dim=1), "softmax"),
        ("tail", lambda logits: torch.sigmoid(logits), "sigmoid"),
        ("tail", lambda logits: logits[:, :3], "slice"),
        ("tail", lambda logits: logits / torch.arange(1.0, 5.0), "div"),
        ("tail", lambda logits: logits.flip(1), "flip"),
        ("tail", lambda logits: logits.to(torch.int8), "to"),
    ],
)
def test_arithmetic_is_refused_with_operator_and_line(attribute: str, function: object, operator: str) -> None:
    model_class = type("Refused", (_Refused,), {attribute: staticmethod(function)})  # type: ignore[arg-type]
    with pytest.raises(TraceError) as caught:
        trace(fitted(model_class()))
    message = str(caught.value)
    assert operator in message and "has no circuit" in message
    assert "test_trace.py" in message


def test_a_forward_that_draws_is_refused() -> None:
    model = fitted(Chain())
    chance = torch.Generator()
    layer = model.lut_layers()[0][1]
    layer.register_forward_hook(lambda _, __, bits: bits ^ (torch.rand(bits.shape, generator=chance) < 0.5))
    with pytest.raises(TraceError, match="uses a Generator, which no circuit has"):
        trace(model)


MEAN, STD = torch.tensor([0.4, 0.5, 0.1, 0.9, 0.3, 0.7]), torch.tensor([0.2, 0.3, 0.01, 3.0, 0.25, 1.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 0.5,
        lambda x: 2 * x - 1,
        lambda x: 1 - x,
        lambda x: (x - MEAN) / STD,
        lambda x: (x - MEAN) / -STD,
        lambda x: torch.cat([(x * STD).flip(1)[:, :3], (x * STD)[:, :3]], dim=1),
        lambda x: torch.stack((x / STD).chunk(2, dim=1), dim=2).flatten(1),
        lambda x: (x.double() * (1 / 3) + MEAN.double()).float(),
        lambda x: x.clamp(0.2, 0.6),
        lambda x: (x - torch.tensor(0.25)).relu(),
        lambda x: torch.add(x, MEAN, alpha=-3),
        lambda x: (x.reshape(-1, 2, 3) - torch.tensor([0.1, 0.9])[:, None]).flatten(1),
    ],
)
@pytest.mark.parametrize(
    "form", [InputFormat(), InputFormat(7, True, 16.0), InputFormat(5, divisor=(31.0, 9.0, 5.0, 31.0, 2.0, 7.0))]
)
def test_a_map_of_each_number_is_folded_into_the_thresholds(
    function: Callable[[Tensor], Tensor], form: InputFormat
) -> None:
    class Mapped(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return super()._forward_impl(function(x))

    model = fitted(Mapped(bits=3, input_format=form))
    assert_same_function(model, 300)
    # The encoder is fitted on what it gets, so that it tells codes apart whatever the map.
    assert model.encoder_report is not None and model.encoder_report.constant_bits <= 3


def test_a_falling_map_before_gray_code_and_the_head_alone() -> None:
    class Inverted(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            bits = self.encoder(1 - x)
            return self.head(torch.cat([self.layers[0](bits), bits, bits, self.encoder(x)], dim=1))

    model = Inverted(4, ((12, 3),))
    assert_same_function(fitted(model))
    model = Inverted(4, ((12, 3),))
    model.encoder = Gray(2)
    assert_same_function(fitted(model))


@pytest.mark.parametrize(
    "tail",
    [
        lambda logits: functional.log_softmax(logits, dim=1),
        lambda logits: functional.softmax(logits, dim=-1).squeeze(),
        lambda logits: functional.dropout(functional.softmax(logits * 3, 1), training=False),
        lambda logits: logits + 1.5,
        lambda logits: logits.unsqueeze(2).squeeze(2).view(-1, 2, 2).flatten(1),
    ],
)
def test_what_keeps_the_class_behind_the_head(tail: Callable[[Tensor], Tensor]) -> None:
    model_class = type("Tail", (_Refused,), {"tail": staticmethod(tail)})
    assert_same_function(fitted(model_class()))


def test_one_score_may_be_squeezed() -> None:
    class Squeezed(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return super()._forward_impl(x).squeeze(1)

    assert_same_function(fitted(Squeezed(classes=1)))


class Dropped(Chain):
    """Half of the bits are 0 while training, the others 2."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.layers[0](self.drop(self.encoder(x).float()))
        return self.drop(self.head(self.layers[1](self.drop(bits))))


def test_dropout_is_the_identity_in_eval_mode() -> None:
    model = fitted(Dropped())
    assert_same_function(model)
    model.train()(random_codes(model, 50)).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (nn.BatchNorm1d(12), "BatchNorm1d on bits has no circuit: bits need no normalisation; leave it out"),
        (lambda bits: nn.BatchNorm1d(12).eval()(bits.float()), "batch_norm.* on bits .*: bits need no normalisation"),
        (nn.Linear(12, 12), "linear.* on bits has no circuit: weighted sums of bits have no look-up; use a LUTLayer"),
        (lambda bits: nn.Linear(12, 12)(bits.float()) > 0, "linear.* on bits .*: weighted sums"),
        (lambda bits: bits + bits.flip(1), "add.* on bits has no circuit: a LUT does arithmetic on bits; join them by"),
        (lambda bits: bits ^ bits.flip(1), "xor.* on bits has no circuit: a LUT does arithmetic on bits"),
        (lambda bits: torch.relu(bits.float()), "relu.* on bits has no circuit: a LUT is its own activation"),
        (lambda bits: functional.max_pool1d(bits.float(), 1), "pool.* on bits .*: pooling of bits is OrPool"),
    ],
)
def test_what_has_no_circuit_comes_with_a_remedy_and_its_line(function: Callable[[Tensor], Tensor], words: str) -> None:
    model_class = type("Refused", (_Refused,), {"step": staticmethod(lambda bits: function(bits))})
    with pytest.raises(TraceError, match=f"(?s){words}.*test_trace.py, line"):
        trace(fitted(model_class()))


def test_positive_scale_and_casts_after_the_group_sum_are_accepted() -> None:
    model_class = type("Scaled", (_Refused,), {"tail": staticmethod(lambda logits: (logits * 2.5).double() / 4)})
    assert_same_function(fitted(model_class()))


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (torch.exp, "exp"),  # is not rounded in one way
        (lambda x: x - x.flip(1), "sub"),
        (lambda x: torch.cat([x[:, :3], 2 * x[:, 3:]], dim=1), "cat"),
        (lambda x: x.sum(dim=1, keepdim=True).expand(-1, 6), "sum"),
    ],
)
def test_other_arithmetic_on_input_numbers_is_refused(function: Callable[[Tensor], Tensor], operator: str) -> None:
    class Mapped(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return super()._forward_impl(function(x))

    with pytest.raises(TraceError, match=rf"{operator}.* on input numbers has no circuit"):
        trace(fitted(Mapped()))


def test_a_map_that_rises_and_falls_is_refused_with_its_line() -> None:
    class Folded(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return super()._forward_impl(torch.tensor([[1.0] * 6]) / (x - 0.4999))

    with pytest.raises(TraceError, match=r"(?s)what an encoder gets must rise or fall with the input code.*test_trace"):
        trace(fitted(Folded()))


def test_value_dependent_control_flow_is_refused() -> None:
    class Branching(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            if x.sum() > 1:
                x = x.flip(1)
            return super()._forward_impl(x)

    with pytest.raises(TraceError, match=r"torch\.export cannot follow its forward"):
        trace(fitted(Branching()))


def test_model_without_group_sum_is_refused() -> None:
    class NoHead(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return self.layers[0](self.encoder(x))

    with pytest.raises(TraceError, match="its forward returns bits; expected the scores of one GroupSum"):
        trace(fitted(NoHead()))


def test_encoder_that_is_not_monotone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from difflut.export.frontend import numbers as module

    monkeypatch.setattr(module, "encode", lambda x, thresholds: (x[:, :, None] - thresholds).abs() < 0.2)
    with pytest.raises(TraceError, match="not monotone"):
        trace(fitted(Chain()))


def test_encoder_base_class_is_abstract() -> None:
    with pytest.raises(NotImplementedError):
        Encoder(2).compute_thresholds(torch.zeros(3, 2))


def test_torch_logs_no_traceback_of_its_own_for_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    logger, seen = logging.getLogger("torch._subclasses.fake_tensor"), []

    class Noisy(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            logger.error("as torch does before it raises")
            return super()._forward_impl(x)

    model = fitted(Noisy())
    monkeypatch.setattr(logger, "handle", seen.append)
    trace(model)
    assert seen == []
    model(random_codes(model, 1))
    assert len(seen) == 1
