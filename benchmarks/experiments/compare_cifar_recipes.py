"""Short trainings that settled how `cifar10_conv` is built and trained; accuracies on held-out training images.

    python benchmarks/experiments/compare_cifar_recipes.py --data cifar10/ [--epochs 2] [--samples 8000]
            [--variant NAME]

Every variant has a thermometer of 3 bits, two stages with 3 x 3 windows (unless it says otherwise) whose outputs both
enter 4,000 nodes with 512 candidates, tau 20, shifts by two pixels and mirroring. The test images are not used.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from difflut.data import load_cifar10
from difflut.heads import GroupSum
from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, OrPool
from difflut.models import BaseModel
from difflut.models.cifar10 import ChannelThermometer
from difflut.training import Recipe, train

# Kernels, window, stride, padding, pooling.
Stage = tuple[int, int, int, int, int]
CONVOLUTIONS: tuple[Stage, ...] = ((32, 3, 1, 1, 2), (96, 3, 1, 1, 2))
WIDE: tuple[Stage, ...] = ((64, 5, 2, 2, 1), (128, 3, 1, 1, 2))

# The stages, and the initializer of the fully connected layer.
VARIANTS: dict[str, tuple[tuple[Stage, ...], str | None]] = {
    "32 and 96 kernels; nodes start random (shipped)": (CONVOLUTIONS, None),
    "32 and 96 kernels; nodes start passing input 0 through": (CONVOLUTIONS, "residual"),
    "64 kernels 5 x 5 with stride 2, 128 kernels; nodes start random": (WIDE, None),
    "64 kernels 5 x 5 with stride 2, 128 kernels; nodes start passing input 0 through": (WIDE, "residual"),
}


class Trial(BaseModel):
    """A variant: convolutions that start by passing input 0 through, the first of which learns its connections."""

    def __init__(self, stages: tuple[Stage, ...], initializer: str | None) -> None:
        super().__init__("trial", input_size=3072, num_classes=10, input_shape=(3, 32, 32))
        self.shape, self.initializer = stages, initializer
        self.encoder = ChannelThermometer(3, 3)

    def _build_layers(self) -> None:
        self.stages = nn.ModuleList()
        channels, size, width = 3 * self.encoder.bits, 32, 0
        config = LayerConfig(initializer="residual", connections="learnable")
        for kernels, window, stride, padding, pooling in self.shape:
            convolution = ConvLUTLayer(channels, kernels, window, stride=stride, padding=padding, config=config)
            self.stages.append(nn.Sequential(convolution, OrPool(pooling)))
            channels, size = kernels, convolution.output_size(size, size)[0] // pooling
            width += channels * size**2
            config = replace(config, connections="random")
        self.nodes = LUTLayer(width, 4000, connections="learnable", candidates=512, initializer=self.initializer)
        self.head = GroupSum(10, 20.0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        bits = self.encoder(x.flatten(1)).reshape(*x.shape, self.encoder.bits)
        images = bits.permute(0, 1, 4, 2, 3).flatten(1, 2)
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images.flatten(1))
        logits: Tensor = self.head(self.nodes(torch.cat(features, dim=1)))
        return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", required=True, help="directory with cifar10.npz or the binary version")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=8000, help="training images, without the 5,000 held out")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="may be repeated; default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    whole = load_cifar10(options.data)
    recipe = Recipe(epochs=options.epochs, max_shift=2, flip=True)
    # One test image, as `train` measures at least one.
    train_images, one = torch.arange(options.samples + recipe.validation), torch.arange(1)
    data = replace(whole, train=whole.train.subset(train_images), test=whole.test.subset(one))
    print(
        f"| variant | held-out accuracy after {options.epochs} epochs of {options.samples:,} images | CPU s in all |\n"
        f"| --- | ---: | ---: |"
    )
    for name in options.variant or VARIANTS:
        stages, initializer = VARIANTS[name]
        with tempfile.TemporaryDirectory() as folder:
            before = time.process_time()
            result = train(
                lambda s=stages, i=initializer: Trial(s, i), data, recipe, Path(folder) / "trial", progress=False
            )
            seconds = time.process_time() - before
        print(f"| {name} | {100 * result.history[-1]['validation_accuracy']:.1f} % | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
