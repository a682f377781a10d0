"""Convolution and pooling against slow references; gradients; the circuits of small convolutional networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import fitted, random_codes
from torch import Tensor
from torch.nn import functional

from difflut.encoders import Thermometer
from difflut.errors import ConfigError, InputShapeError
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.heads import GroupSum
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, OrPool, or_pool
from difflut.layers.windows import window_columns
from difflut.models import BaseModel
from difflut.training import predict_scores


def random_bits(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5


def slow_convolution(layer: ConvLUTLayer, images: Tensor) -> list[list[list[list[bool]]]]:
    """Every sample, kernel and position on its own, through its tree."""
    (rows, columns), (down, right), (pad_down, pad_right) = layer.kernel_size, layer.stride, layer.padding

    def pixel(image: Tensor, channel: int, row: int, column: int) -> bool:
        inside = 0 <= row < image.shape[1] and 0 <= column < image.shape[2]
        return inside and bool(image[channel, row, column])

    def window(image: Tensor, top: int, left: int) -> list[bool]:
        return [
            pixel(image, channel, top + i, left + j)
            for channel in range(len(image))
            for i in range(rows)
            for j in range(columns)
        ]

    def kernels(bits: list[bool]) -> list[bool]:
        for level in layer.levels:
            connections, tables = level.connections.tolist(), level.truth_tables().tolist()
            bits = [
                table[sum(bits[source] << i for i, source in enumerate(sources))]
                for sources, table in zip(connections, tables, strict=True)
            ]
        return bits

    height = (images.shape[2] + 2 * pad_down - rows) // down + 1
    width = (images.shape[3] + 2 * pad_right - columns) // right + 1
    result = []
    for image in images:
        grid = [[kernels(window(image, r * down - pad_down, c * right - pad_right)) for c in range(width)]
                for r in range(height)]  # fmt: skip
        result.append(np.array(grid, dtype=bool).transpose(2, 0, 1).tolist())
    return result


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_convolution_equals_a_loop(data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from([1, 2, 3]))
    channels, kernels = groups * data.draw(st.integers(1, 2)), groups * data.draw(st.integers(1, 2))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    size = data.draw(pair)
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    shape = [max(1, size[axis] - 2 * padding[axis]) + data.draw(st.integers(0, 4)) for axis in (0, 1)]
    config = LayerConfig(
        n=data.draw(st.integers(1, 3)), connections=data.draw(st.sampled_from(["random", "learnable"]))
    )
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    layer = ConvLUTLayer(
        channels, kernels, size, stride=data.draw(pair), padding=padding, groups=groups,
        depth=data.draw(st.integers(1, 3)), config=config,
    )  # fmt: skip
    images = random_bits(2, channels, *shape)
    trained, outputs = layer.train()(images), layer.eval()(images)
    assert outputs.dtype == torch.bool
    assert outputs.tolist() == slow_convolution(layer, images)
    assert outputs.shape[2:] == layer.output_size(*shape)
    assert trained.dtype == torch.float32
    assert torch.equal(trained, outputs.float())
    assert torch.equal(layer(images.float()), outputs)
    assert layer(images[:0]).shape == layer.train()(images[:0]).shape == (0, *outputs.shape[1:])


def test_kernels_read_their_group_only() -> None:
    torch.manual_seed(0)
    layer = ConvLUTLayer(4, 6, 3, groups=2, depth=2, config=LayerConfig(n=3)).eval()
    images = random_bits(5, 4, 5, 5)
    changed = images.clone()
    changed[:, 2:] = ~changed[:, 2:]
    before, after = layer(images), layer(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])
    assert int(layer.levels[0].connections[:9].max()) < 2 * 9 <= int(layer.levels[0].connections[9:].min())


def test_a_kernel_reads_distinct_bits_where_there_are_enough() -> None:
    torch.manual_seed(0)
    layer = ConvLUTLayer(8, 2, 3, depth=2, config=LayerConfig(n=6))  # 2 kernels of 36 bits, 72 in the field
    assert all(len(set(read)) == 36 for read in layer.levels[0].connections.view(2, 36).tolist())


def test_few_tensors_hold_all_kernels() -> None:
    layer = ConvLUTLayer(8, 500, 3, depth=2)
    assert len(list(layer.parameters())) == 2
    assert [level.out_width for level in layer.levels] == [3000, 500]


def test_gradients_equal_those_of_the_unfolded_layer() -> None:
    """Through torch's own im2col, position by position."""
    torch.manual_seed(0)
    layer = ConvLUTLayer(2, 3, 3, stride=2, padding=1, depth=2, config=LayerConfig(n=3)).double()
    torch.set_default_dtype(torch.float64)
    try:
        images = random_bits(2, 2, 5, 6).double().requires_grad_()
        outputs = layer(images)
        grad = torch.randn_like(outputs)
        outputs.backward(grad)
        got, weights = images.grad, [parameter.grad for parameter in layer.parameters()]
        images.grad = None
        layer.zero_grad()
        patches = functional.unfold(images, 3, padding=1, stride=2)  # (N, C * 9, positions)
        for position in range(patches.shape[2]):
            bits = layer.levels[1](layer.levels[0](patches[:, :, position]))
            bits.backward(grad.flatten(2)[:, :, position], retain_graph=True)
        torch.testing.assert_close(got, images.grad)
        for expected, parameter in zip(weights, layer.parameters(), strict=True):
            torch.testing.assert_close(expected, parameter.grad)
        assert all(bool(grad.any()) for grad in weights if grad is not None)
    finally:
        torch.set_default_dtype(torch.float32)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_or_pool_equals_a_loop(data: st.DataObject) -> None:
    window = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = data.draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    shape = [length + data.draw(st.integers(0, 4)) for length in window]
    bits = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99)))) < 0.1
    outputs = or_pool(bits, window, stride)
    (down, right) = stride or window
    expected = [
        [[[bool(channel[r : r + window[0], c : c + window[1]].any()) for c in range(0, shape[1] - window[1] + 1, right)]
          for r in range(0, shape[0] - window[0] + 1, down)] for channel in image]
        for image in bits
    ]  # fmt: skip
    assert outputs.dtype == torch.bool
    assert outputs.tolist() == expected
    assert torch.equal(or_pool(bits.float(), window, stride), outputs.float())


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 1), (3, 1, 1), ((4, 2), (2, 1), (2, 0)), (3, 3, 1)])
def test_or_pool_pads_with_zeros(window: Any, stride: Any, padding: Any) -> None:
    bits = torch.rand(2, 3, 6, 5, generator=torch.Generator().manual_seed(1)) < 0.2
    expected = torch.nn.functional.max_pool2d(bits.float(), window, stride, padding)
    pool = OrPool(window, stride, padding)
    assert torch.equal(pool(bits), expected) and pool.output_size(6, 5) == tuple(expected.shape[2:])
    assert torch.equal(pool.eval()(bits), expected.bool())


def test_or_pool_pads_at_most_half_of_its_window() -> None:
    with pytest.raises(ConfigError) as caught:
        OrPool(2, 2, (0, 2))
    assert str(caught.value) == "OrPool: padding (0, 2) is more than half of the window (2, 2)"


def test_or_pool_module_and_gradient() -> None:
    pool = OrPool(2)
    bits = torch.tensor([[[[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]]], requires_grad=True)
    outputs = pool(bits)
    assert outputs.tolist() == [[[[1.0, 0.0]]]]
    outputs.sum().backward()
    assert bits.grad is not None
    assert bits.grad.tolist() == [[[[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]
    evaluated = pool.eval()(bits.detach())
    assert evaluated.dtype == torch.bool
    assert evaluated.tolist() == [[[[True, False]]]]
    assert pool.train()(bits.detach().bool()).dtype == torch.float32


@pytest.mark.parametrize(("window", "stride", "padding"), [((3, 2), (1, 2), (1, 0)), ((1, 1), (2, 1), (0, 2))])
def test_gradient_of_windows(window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> None:
    """The floating path and its gradient against `Tensor.unfold`'s, which bits take."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    columns = window_columns(images, window, stride, padding)
    padded = torch.nn.functional.pad(images, (padding[1], padding[1], padding[0], padding[0]))
    windows = padded.unfold(2, window[0], stride[0]).unfold(3, window[1], stride[1])
    expected = windows.permute(1, 4, 5, 0, 2, 3).reshape(columns.shape)
    assert torch.equal(columns, expected)
    grad = torch.randn_like(columns)
    given = torch.autograd.grad(columns, images, grad)[0]
    torch.testing.assert_close(given, torch.autograd.grad(expected, images, grad)[0])


@pytest.mark.parametrize("window", [(2, 2), (1, 3), (3, 2)])
def test_gradient_of_pooling_is_max_poolings(window: tuple[int, int]) -> None:
    """On 0/1 numbers, so that most windows have ties, with a border that fills no window."""
    torch.manual_seed(0)
    bits = (torch.rand(2, 3, 7, 7) < 0.4).float().requires_grad_()
    pooled, expected = or_pool(bits, window), torch.nn.functional.max_pool2d(bits, window)
    assert torch.equal(pooled, expected)
    grad = torch.randn_like(pooled)
    given = torch.autograd.grad(pooled, bits, grad)[0]
    assert torch.equal(given, torch.autograd.grad(expected, bits, grad)[0])


class SmallConv(BaseModel):
    """Two convolutions with pooling in between on 2-channel images."""

    def __init__(self, size: tuple[int, int], first: dict[str, object], pool: int, groups: int) -> None:
        super().__init__("small_conv", 2 * size[0] * size[1], 2, input_shape=(2, *size))
        self.first, self.pool_size, self.groups = first, pool, groups
        self.encoder = Thermometer(2)

    def _build_layers(self) -> None:
        self.convolution = ConvLUTLayer(4, 4, **self.first)  # type: ignore[arg-type]
        size = self.convolution.output_size(*self.input_shape[1:])
        self.pool = OrPool(self.pool_size, 1)
        size = (size[0] - self.pool_size + 1, size[1] - self.pool_size + 1)
        self.mix = ConvLUTLayer(4, 6, 1, groups=self.groups, config=LayerConfig(n=2))
        self.last = LUTLayer(6 * size[0] * size[1], 8, 3)
        self.head = GroupSum(2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x.flatten(1)).reshape(*x.shape, 2).permute(0, 1, 4, 2, 3).flatten(1, 2)
        return self.head(self.last(self.mix(self.pool(self.convolution(bits))).flatten(1)))


def assert_same_function(model: BaseModel, samples: int = 100) -> None:
    netlist = trace(model)
    check(netlist)
    codes = random_codes(model, samples, seed=1)
    scores, classes = predict_scores(model, codes)
    outputs = simulate(netlist, codes.reshape(samples, -1).numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())
    assert len(np.unique(scores.numpy(), axis=0)) > 1


@pytest.mark.parametrize(
    ("size", "first", "pool", "groups"),
    [
        ((5, 5), {"kernel_size": 3, "padding": 1, "config": LayerConfig(n=4)}, 2, 1),
        ((7, 5), {"kernel_size": (3, 2), "stride": 2, "depth": 2, "config": LayerConfig(n=3)}, 2, 2),
        ((6, 6), {"kernel_size": 3, "padding": 1, "groups": 2, "config": LayerConfig(connections="learnable")}, 3, 1),
        ((6, 6), {"kernel_size": 1, "config": LayerConfig(n=2, family="linear")}, 2, 2),
    ],
)
def test_circuit_of_a_convolution(size: tuple[int, int], first: dict[str, object], pool: int, groups: int) -> None:
    assert_same_function(fitted(SmallConv(size, first, pool, groups)))


class Unfolded(BaseModel):
    """torch's own im2col and padding, on bits: with zeros and with ones."""

    def __init__(self) -> None:
        super().__init__("unfolded", 16, 2, input_shape=(1, 4, 4))
        self.encoder = Thermometer(1)

    def _build_layers(self) -> None:
        self.shared = LUTLayer(4, 3, 4)
        self.last = LUTLayer(3 * 9 + 3 * 16, 8, 4)
        self.head = GroupSum(2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x.flatten(1)).reshape(x.shape)
        hidden = []
        for patches in (
            functional.unfold(bits.float(), 2, padding=1, stride=2),
            functional.unfold(functional.pad(bits, (1, 0, 0, 1), value=True).float(), 2),
        ):
            rows = patches.transpose(1, 2).reshape(-1, 4)
            hidden.append(self.shared(rows).reshape(len(x), -1))
        return self.head(self.last(torch.cat(hidden, dim=1)))


def test_circuit_of_im2col_and_padding() -> None:
    assert_same_function(fitted(Unfolded()))


def test_freezing_and_checkpoint_keep_the_function(tmp_path: object) -> None:
    first = {"kernel_size": 3, "depth": 2, "config": LayerConfig(n=3, connections="learnable")}
    model = fitted(SmallConv((6, 6), first, 2, 1))
    codes = random_codes(model, 50)
    before = model(codes)
    path = f"{tmp_path}/model.safetensors"
    model.save_checkpoint(path, frozen=True)
    loaded = SmallConv((6, 6), first, 2, 1).load_checkpoint(path)
    assert torch.equal(loaded(codes), before)
    assert torch.equal(model.freeze()(codes), before)
    assert not list(model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_wrong_images(training: bool) -> None:
    layer = ConvLUTLayer(3, 2, 3).train(training)
    with pytest.raises(InputShapeError) as caught:
        layer(torch.zeros(1, 2, 5, 5))
    assert str(caught.value) == ("ConvLUTLayer: got bits of shape (1, 2, 5, 5); expected (samples, 3, rows, columns)")
    with pytest.raises(InputShapeError) as caught:
        layer(torch.zeros(1, 3, 2, 5))
    assert str(caught.value) == (
        "ConvLUTLayer: an image of 2 x 5 with padding (0, 0) is smaller than the window 3 x 3; use a smaller window or "
        "more padding"
    )
    with pytest.raises(InputShapeError) as caught:
        or_pool(torch.zeros(3, 2, 5))
    assert str(caught.value) == "or_pool: got bits of shape (3, 2, 5); expected (samples, channels, rows, columns)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 0}, "ConvLUTLayer: in_channels 0, kernels 4 and depth 1 must be at least 1"),
        ({"depth": 0}, "ConvLUTLayer: in_channels 4, kernels 4 and depth 0 must be at least 1"),
        (
            {"groups": 3},
            "ConvLUTLayer: 4 channels and 4 kernels do not split into 3 equal groups; make both multiples of groups",
        ),
        ({"kernel_size": 0}, "ConvLUTLayer: kernel_size is 0; expected an integer of at least 1, or a pair of them"),
        ({"stride": (1, 0)}, "ConvLUTLayer: stride is (1, 0); expected an integer of at least 1, or a pair of them"),
        ({"padding": -1}, "ConvLUTLayer: padding is -1; expected an integer of at least 0, or a pair of them"),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ConvLUTLayer(**{"in_channels": 4, "kernels": 4, **options})  # type: ignore[arg-type]
    assert str(caught.value) == message
