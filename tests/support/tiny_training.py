"""A model and a data set that train in a blink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from difflut.data import Dataset, Split
from difflut.encoders import Thermometer
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.training import Recipe, TrainingResult, train

RECIPE = Recipe(epochs=4, batch_size=20, validation=40, learning_rate=0.05, warmup_epochs=0.5, max_shift=1, seed=3)
CLASSES = 3


class Tiny(BaseModel):
    """Pixel (0, 0) of an image is its number in the data set, which lets tests see what a forward was given."""

    def __init__(self) -> None:
        super().__init__("tiny", input_size=16, num_classes=CLASSES, input_shape=(4, 4))
        self.encoder = Thermometer(2)

    def _build_layers(self) -> None:
        self.first = LUTLayer(self.encoder.output_width, 30, 4, connections="learnable", candidates=16)
        self.second = LUTLayer(30, 30, 4)
        self.head = GroupSum(CLASSES, 2.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(self.encoder(x.flatten(1)))))
        return logits


def tiny_data() -> Dataset:
    """200 training and 50 test images, all different; the class is the brightness."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, CLASSES, (250,), generator=generator)
    x = torch.randint(0, 80, (250, 4, 4), generator=generator) + 60 * y[:, None, None]
    x = x.to(torch.uint8)
    x[:, 0, 0] = torch.arange(250).to(torch.uint8)
    return Dataset("brightness", Split(x[:200], y[:200]), Split(x[200:], y[200:]))


def run(out: Path, recipe: Recipe = RECIPE, make: Callable[[], BaseModel] = Tiny, **options: Any) -> TrainingResult:
    return train(make, options.pop("data", tiny_data()), recipe, out, progress=False, **options)
