"""Small convolutional models, chosen and drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from difflut.encoders import Filter
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, MajorityPool, OrPool
from difflut.models import BaseModel
from difflut.models.cifar10 import ChannelThermometer

Pair = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """A convolution, or with `kernels` 0 a pooling: of a majority of `at_least`, or with 0 the OR."""

    kernels: int
    window: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    depth: int = 1
    n: int = 3
    at_least: int = 0


@dataclass(frozen=True)
class Plan:
    """A convolutional model: the image, its steps, which of the maps (0: the encoded image) the dense part reads.

    With `kernels` the encoded image has further channels, of integer filters.
    """

    shape: tuple[int, int, int]
    steps: tuple[Step, ...]
    bits: int = 1
    read: tuple[int, ...] = (-1,)
    widths: tuple[int, ...] = (12,)
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    kernels: tuple[Any, ...] = ()


class Stack(BaseModel):
    """The model of a plan; 2 classes."""

    def __init__(self, plan: Plan | None = None) -> None:
        plan = plan or Plan((1, 4, 4), (Step(2, (3, 3), padding=(1, 1)),))
        colours, rows, columns = plan.shape
        super().__init__("stack", colours * rows * columns, 2, input_shape=plan.shape, **plan.options)
        self.plan = plan
        self.encoder = ChannelThermometer(plan.bits, colours)
        if plan.kernels:
            self.filter = Filter(plan.kernels, colours)
            self.edges = ChannelThermometer(plan.bits, self.filter.sums)

    def _build_layers(self) -> None:
        plan = self.plan
        self.steps, self.dense = nn.ModuleList(), nn.ModuleList()
        sums = self.filter.sums if plan.kernels else 0
        channels, size = (plan.shape[0] + sums) * plan.bits, plan.shape[1:]
        sizes = [channels * size[0] * size[1]]
        for step in plan.steps:
            if step.kernels:
                layer = ConvLUTLayer(
                    channels, step.kernels, step.window, stride=step.stride, padding=step.padding,
                    groups=step.groups, depth=step.depth, config=LayerConfig(n=step.n),
                )  # fmt: skip
                channels, size = step.kernels, layer.output_size(*size)
                self.steps.append(layer)
            else:
                pooling = OrPool(step.window, step.stride)
                if step.at_least:
                    pooling = MajorityPool(step.window, step.stride, at_least=step.at_least)
                self.steps.append(pooling)
                size = tuple((size[a] - step.window[a]) // step.stride[a] + 1 for a in (0, 1))
            sizes.append(channels * size[0] * size[1])
        width = sum(sizes[place] for place in plan.read)
        for nodes in plan.widths:
            self.dense.append(LUTLayer(width, nodes, 3))
            width = nodes
        self.head = GroupSum(2)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self._bits(self.encoder, x)
        if self.plan.kernels:
            bits = torch.cat([bits, self._bits(self.edges, self.filter(x, self.input_format))], dim=1)
        maps = [bits]
        for step in self.steps:
            maps.append(step(maps[-1]))
        bits = torch.cat([maps[place].flatten(1) for place in self.plan.read], dim=1)
        for layer in self.dense:
            bits = layer(bits)
        return self.head(bits)

    def _bits(self, encoder: ChannelThermometer, numbers: Tensor) -> Tensor:
        bits = encoder(numbers.flatten(1)).reshape(*numbers.shape, self.plan.bits)
        return bits.permute(0, 1, 4, 2, 3).flatten(1, 2)


LONG = Plan((1, 4, 4), (Step(3, (3, 3), padding=(1, 1)),), widths=(40, 30))


class Long(Stack):
    """The model of `LONG`: as many LUTs behind its convolution as would take longer than its pixels, one a cycle."""

    def __init__(self) -> None:
        super().__init__(LONG)


def stack() -> Stack:
    """What makes the model of a build of the plan that `Stack` has by default."""
    return Stack()


def made(plan: Plan) -> BaseModel:
    """The fitted model of a plan, in eval mode."""
    torch.manual_seed(plan.seed)
    model = Stack(plan)
    form = model.input_format
    codes = torch.randint(form.lowest, form.highest + 1, (64, *plan.shape), dtype=torch.int32)
    return model.fit_encoder(codes).eval()


# Filters of both signs, over one colour and over all; borders, more rows than columns; asymmetric, so that no axes can
# be exchanged unnoticed.
FILTERED = Plan(
    (2, 5, 4),
    (Step(3, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2))),
    bits=2,
    read=(0, 2),
    kernels=("sobel_x", [[[1, 0, -3]], [[0, 2, 5]]]),
    options={"input_format": InputFormat(4, False, 4.0)},
)
SIGNED_FILTER = Plan(
    (1, 3, 6),
    (Step(3, (3, 3), padding=(1, 1)),),
    kernels=([[2, 0, 0], [0, -1, 0], [1, 0, 4]],),
    options={"input_format": InputFormat(3, True, 2.0)},
)

# Majorities of one LUT and, of nine bits, of counters and a LUT behind them.
MAJORITY = Plan(
    (2, 6, 6),
    (
        Step(4, (3, 3), padding=(1, 1)),
        Step(0, (3, 3), at_least=4),
        Step(3, (3, 3), padding=(1, 1)),
        Step(0, (2, 2), (2, 2), at_least=2),
    ),
    bits=2,
    read=(2, 4),
)


@st.composite
def plans(draw: st.DrawFn, most_steps: int = 3, streaming: bool = False) -> Plan:
    """Plans with odd sizes, strides, paddings, groups, pooling; for `streaming`, padding is less than half a window."""
    colours, bits = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    shape = (colours, draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    channels, size = colours * bits, shape[1:]
    steps: list[Step] = []
    for number in range(draw(st.integers(1, most_steps))):
        pool = number > 0 and draw(st.booleans())
        square = draw(st.sampled_from([2] if pool else [1, 3, 5]))
        window = draw(st.just((square, square)) | st.tuples(st.integers(1, 3), st.integers(1, 3)))
        most = [(length - 1) // 2 if streaming else length for length in window]
        padding = (0, 0) if pool else (draw(st.integers(0, most[0])), draw(st.integers(0, most[1])))
        stride = draw(st.sampled_from([(1, 1), (2, 2), (1, 2), (3, 1)]))
        if any(size[axis] + 2 * padding[axis] < window[axis] for axis in (0, 1)):
            window, padding, pool = (1, 1), (0, 0), False
        groups = 1 if pool else draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
        kernels = 0 if pool else groups * draw(st.integers(1, 2))
        n, depth = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        at_least = draw(st.integers(0, window[0] * window[1])) if pool else 0
        steps.append(Step(kernels, window, stride, padding, groups, depth, n, at_least))
        size = tuple((size[a] + 2 * padding[a] - window[a]) // stride[a] + 1 for a in (0, 1))
        channels = kernels or channels
    read = sorted(draw(st.sets(st.integers(0, len(steps)), max_size=2)) | {len(steps)})
    return Plan(
        shape,
        tuple(steps),
        bits,
        tuple(read),
        widths=draw(st.sampled_from([(12,), (10, 8)])),
        seed=draw(st.integers(0, 99)),
    )
