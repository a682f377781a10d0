"""PyTorch, the unrolled netlist and the convolutional one compute the same; what is no stack of maps is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from convolutions import FILTERED, SIGNED_FILTER, Plan, Stack, Step, made, plans
from hypothesis import example, given, settings
from small_models import Custom, SmallImages, fitted, random_codes
from tools import require_prover
from torch import Tensor
from torch.nn import functional

from difflut.encoders import Gray, Thermometer
from difflut.export.circuit.netlist import Head
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.circuit.text import from_text, to_text
from difflut.export.circuit.unroll import unroll
from difflut.export.errors import NetlistError, TraceError
from difflut.export.frontend.trace import trace, trace_circuit
from difflut.export.passes import pipelines
from difflut.export.proof.passes import prove_pass
from difflut.models import BaseModel, get_model
from difflut.training import predict_scores


def codes_and_scores(model: BaseModel, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    codes = random_codes(model, samples, seed=1)
    scores, classes = predict_scores(model, codes)
    return codes.reshape(samples, -1).numpy(), scores.numpy(), classes.numpy()


def assert_all_forms_agree(model: BaseModel, samples: int = 70) -> None:
    convolution = trace_circuit(model)
    codes, scores, classes = codes_and_scores(model, samples)
    unrolled = unroll(convolution)
    check(unrolled)
    for outputs in (
        simulate(convolution, codes),
        simulate(unrolled, codes),
        simulate(trace(model), codes),
        simulate(pipelines.run(convolution)[0], codes),
        simulate(unroll(pipelines.run(convolution)[0]), codes),
    ):
        np.testing.assert_array_equal(outputs.scores, scores)
        np.testing.assert_array_equal(outputs.classes, classes)
    assert from_text(to_text(convolution)) == convolution


@settings(max_examples=25, deadline=None)
@given(plan=plans())
@example(plan=FILTERED)
@example(plan=SIGNED_FILTER)
@example(plan=Plan((1, 1, 1), (Step(1, (1, 1), padding=(0, 1)), Step(0, (1, 1), (2, 2)), Step(1, (1, 1))), bits=2))
def test_random_networks(plan: Plan) -> None:
    assert_all_forms_agree(made(plan))


def test_zoo_model_unrolls_to_what_is_traced() -> None:
    model = get_model("cifar10_conv", pretrained=True)
    convolution = trace_circuit(model)
    assert convolution.luts == 32 + 32 + 96 + 96 + 4000
    assert unroll(convolution) == trace(model)


def test_a_batch_may_be_empty_or_longer_than_a_block() -> None:
    model = fitted(SmallImages())
    convolution = trace_circuit(model)
    codes, scores, _ = codes_and_scores(model, 150)
    np.testing.assert_array_equal(simulate(convolution, codes).scores, scores)
    assert simulate(convolution, codes[:0]).scores.shape == (0, 10)


PROVED = [
    Plan((1, 4, 5), (Step(3, (3, 3), padding=(1, 1), n=4), Step(0, (2, 2), (2, 2))), bits=2),
    Plan((2, 5, 3), (Step(4, (3, 2), (2, 1), (1, 0), groups=2, depth=2, n=2), Step(2, (2, 1))), read=(0, 1, 2)),
    Plan((1, 5, 5), (Step(2, (5, 5), padding=(2, 2), depth=2), Step(3, (1, 1), (2, 2)))),
    FILTERED,
]


@pytest.mark.parametrize("plan", PROVED)
def test_optimised_kernels_are_proved_equal_for_all_images(plan: Plan) -> None:
    """Kernels that the passes rewrote, unrolled, against what tracing gives position by position."""
    require_prover()
    model = made(plan)
    convolution = pipelines.run(trace_circuit(model))[0]
    outcome = prove_pass(trace(model), unroll(convolution), "unroll")
    assert outcome.claim.verdict == "proved", outcome.claim


@pytest.mark.parametrize("plan", PROVED[:2])
def test_the_proof_finds_a_wrong_padding(plan: Plan) -> None:
    require_prover()
    model = made(plan)
    convolution = trace_circuit(model)
    shifted = convolution.layers[0].kernel.with_(
        compare_feature=np.roll(convolution.layers[0].kernel.compare_feature, 1)
    )
    layers = (replace(convolution.layers[0], kernel=shifted), *convolution.layers[1:])
    wrong = replace(convolution, layers=layers)
    outcome = prove_pass(trace(model), unroll(wrong), "unroll")
    assert outcome.claim.verdict == "refuted"


def test_a_kernel_is_traced_once() -> None:
    """The convolutional form of an image with sixteen times the pixels has the same kernels."""
    step = Step(4, (3, 3), padding=(1, 1))
    small, large = (trace_circuit(made(Plan((1, side, side), (step,), read=(1,)))) for side in (8, 32))
    assert [layer.kernel.luts for layer in small.layers] == [layer.kernel.luts for layer in large.layers] == [4]


class PixelThresholds(Stack):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Thermometer(1)


class LookedUp(Stack):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Gray(1)


class Padded(Stack):
    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = functional.pad(self.encoder(x.flatten(1)).reshape(x.shape), (1, 0, 0, 1))
        return self.head(self.dense[0](self.steps[0](bits)[:, :, :4, :4].flatten(1)))


class Flipped(Stack):
    """Also reads an encoder bit twice, which is no reason to refuse it."""

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x.flatten(1)).reshape(x.shape)
        return self.head(self.dense[0](self.steps[0](bits.flip(2)).flatten(1)))


@pytest.mark.parametrize("make", [PixelThresholds, Padded, Flipped])
def test_what_is_no_whole_map_is_refused(make: type[BaseModel]) -> None:
    model = make()
    torch.manual_seed(0)
    model.fit_encoder(random_codes(model, 64)).eval()
    codes, scores, _ = codes_and_scores(model, 50)
    np.testing.assert_array_equal(simulate(trace(model), codes).scores, scores)  # unrolled there is no such rule
    with pytest.raises(TraceError) as caught:
        trace_circuit(model)
    assert "a convolution in a stream reads one whole map, as it is: the encoded image" in str(caught.value)


def test_a_model_without_a_convolution_is_refused() -> None:
    with pytest.raises(TraceError) as caught:
        trace_circuit(fitted(Custom()))
    assert str(caught.value) == (
        "model 'custom': its input_shape is (784,); an image has the shape (colours, rows, columns) or (rows, columns)"
    )


def test_channels_may_come_in_another_order() -> None:
    class Swapped(Stack):
        def _forward_impl(self, x: Tensor) -> Tensor:
            bits = self.encoder(x.flatten(1)).reshape(x.shape).flip(1)
            hidden = self.steps[1](self.steps[0](bits).flip(1))
            return self.head(self.dense[0](hidden.flatten(1)))

    torch.manual_seed(0)
    model = Swapped(Plan((3, 4, 4), (Step(4, (3, 3), padding=(1, 1)), Step(2, (2, 2)))))
    model.fit_encoder(random_codes(model, 64)).eval()
    assert_all_forms_agree(model)


def test_broken_netlists_are_named() -> None:
    convolution = trace_circuit(fitted(SmallImages()))
    kernel = convolution.layers[0].kernel
    two = Head(np.array([0, 2]), kernel.head.nets[:2])
    layer = replace(convolution.layers[0], kernel=kernel.with_(head=two))
    broken = replace(convolution, layers=(layer,))
    with pytest.raises(NetlistError) as caught:
        unroll(broken)
    assert str(caught.value) == (
        "circuit 'small_images' breaks the rule layers: the kernel of layer 1 has a score of several nets; expected "
        "one net each"
    )
    late = replace(convolution, layers=(convolution.layers[2], *convolution.layers[1:]))
    with pytest.raises(NetlistError, match=r"layer 1 reads map 2; expected 0 to 0"):
        unroll(late)
    beyond = replace(convolution, body_bits=convolution.body_bits[::-1])
    with pytest.raises(NetlistError, match="body_bits runs from"):
        unroll(beyond)
