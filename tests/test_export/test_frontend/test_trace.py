"""Tracing: the netlist computes what the model computes, and what has no circuit is refused by name and line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import Chain, Custom, Moves, fitted, random_codes
from torch import Tensor

from difflut.encoders import Encoder, Gray
from difflut.errors import NotFittedError
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import TraceError
from difflut.export.frontend.trace import code_thresholds, trace
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
        ("tail", lambda logits: logits + 1, "add"),
        ("tail", lambda logits: torch.softmax(logits, dim=1), "softmax"),
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


def test_positive_scale_and_casts_after_the_group_sum_are_accepted() -> None:
    model_class = type("Scaled", (_Refused,), {"tail": staticmethod(lambda logits: (logits * 2.5).double() / 4)})
    assert_same_function(fitted(model_class()))


def test_arithmetic_on_input_numbers_is_refused() -> None:
    class Shifted(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return super()._forward_impl(x * 0.5)

    with pytest.raises(TraceError, match=r"mul.* on input numbers has no circuit"):
        trace(fitted(Shifted()))


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
    from difflut.export.frontend import trace as module

    monkeypatch.setattr(module, "encode", lambda x, thresholds: (x[:, :, None] - thresholds).abs() < 0.2)
    with pytest.raises(TraceError, match="not monotone"):
        trace(fitted(Chain()))


def test_encoder_base_class_is_abstract() -> None:
    with pytest.raises(NotImplementedError):
        Encoder(2).compute_thresholds(torch.zeros(3, 2))
