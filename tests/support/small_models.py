"""Small models for tests: the documented custom model, and forwards full of data movement."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from difflut.encoders import DistributiveThermometer, Thermometer
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LayerConfig, LUTLayer
from difflut.models import BaseModel, CIFAR10Conv


class Custom(BaseModel):
    """The custom model of the documentation."""

    def __init__(self) -> None:
        super().__init__(name="custom", input_size=784, num_classes=10)
        self.encoder = DistributiveThermometer(bits=2)

    def _build_layers(self) -> None:
        self.first = LUTLayer(self.encoder.output_width, 200, n=4)
        self.second = LUTLayer(200, 100, n=4)
        self.head = GroupSum(10, tau=3.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.encoder(x))))


class Chain(BaseModel):
    """LUT layers of given widths and numbers of inputs on `features` codes; by default too wide for passes to join
    them.
    """

    def __init__(
        self,
        features: int = 6,
        layers: tuple[tuple[int, int], ...] = ((12, 5), (8, 4)),
        classes: int = 4,
        *,
        bits: int = 2,
        input_format: InputFormat | None = None,
        name: str = "chain",
        tau: float = 1.0,
    ) -> None:
        super().__init__(name, features, classes, input_format=input_format)
        self.shape = layers
        self.tau = tau
        self.encoder = Thermometer(bits)

    def _build_layers(self) -> None:
        width = self.encoder.output_width
        self.layers = nn.ModuleList()
        for nodes, n in self.shape:
            self.layers.append(LUTLayer(width, nodes, n))
            width = nodes
        self.head = GroupSum(self.num_classes, self.tau)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x)
        for layer in self.layers:
            bits = layer(bits)
        return self.head(bits)


class NarrowChain(Chain):
    """Codes of three bits, so that few samples meet every threshold."""

    def __init__(self) -> None:
        super().__init__(6, ((12, 3), (8, 2)), 4, input_format=InputFormat(3, False, 1.0))


class Ties(Chain):
    """Both members of each pair of classes always have equal scores: 0 and 1, 2 and 3."""

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.layers[1](self.layers[0](self.encoder(x)))
        return self.head(torch.cat([bits[:, :2], bits[:, :2], bits[:, 2:4], bits[:, 2:4]], dim=1))


class Moves(BaseModel):
    """Everything that counts as data movement: permute, pad, unfold, slices, flip, a skip concatenation."""

    def __init__(self) -> None:
        super().__init__("moves", 16, 2, input_shape=(4, 4))
        self.encoder = Thermometer(2)

    def _build_layers(self) -> None:
        self.first = LUTLayer(9 * 2, 5, n=3)
        self.second = LUTLayer(16 * 5 + 16 * 2, 10, n=4)
        self.head = GroupSum(2, tau=2.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        count = x.shape[0]
        bits = self.encoder(x.flip(-1).reshape(count, 16)).reshape(count, 4, 4, 2).permute(0, 3, 1, 2)
        padded = functional.pad(bits, (1, 1, 1, 1))
        patches = padded.unfold(2, 3, 1).unfold(3, 3, 1)  # (count, 2, 4, 4, 3, 3)
        patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(count * 16, 18)
        hidden = self.first(patches).reshape(count, 16 * 5)  # one layer, shared by all positions
        return self.head(self.second(torch.cat([hidden, bits.transpose(1, 2).flatten(1)], dim=1)))


class SmallImages(CIFAR10Conv):
    """The convolutional model on 4 x 4 pixels."""

    def __init__(self) -> None:
        config = LayerConfig(n=3)
        super().__init__(
            "small_images", image_size=4, bits=1, kernels=(4, 6), depths=(1, 2), widths=(20,), config=config
        )


def fitted(model: BaseModel, seed: int = 0, samples: int = 64) -> BaseModel:
    """The model, fitted on random codes and in eval mode."""
    torch.manual_seed(seed)
    return model.fit_encoder(random_codes(model, samples, seed)).eval()


def random_codes(model: BaseModel, samples: int, seed: int = 0) -> Tensor:
    """int32 (samples, *input_shape): uniformly random codes of the model's format."""
    generator = torch.Generator().manual_seed(seed)
    form = model.input_format
    shape = (samples, *model.input_shape)
    return torch.randint(form.lowest, form.highest + 1, shape, generator=generator, dtype=torch.int32)
