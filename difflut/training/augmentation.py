"""Random changes of training images, drawn from a generator so that resuming repeats them."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError
from difflut.models.fitting import encoders
from difflut.training.recipes import Recipe


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """A batch as the recipe wants it: shifted, then mirrored, each image by itself; same shape and dtype.

    Raises:
        ConfigError: if the recipe shifts or mirrors samples that are no images (N, H, W) or (N, C, H, W).
    """
    if (recipe.max_shift or recipe.flip) and images.ndim not in (3, 4):
        raise ConfigError(
            f"the recipe shifts or mirrors images, but a sample has shape {tuple(images.shape[1:])}; expected (H, W) "
            "or (C, H, W), or a recipe with max_shift=0 and flip=False"
        )
    if recipe.max_shift and recipe.max_shift >= min(images.shape[-2:]):
        raise ConfigError(
            f"recipe: max_shift is {recipe.max_shift}; it must be less than the sides of an image, "
            f"{tuple(images.shape[-2:])} pixels"
        )
    shifted = random_shift(images, recipe.max_shift, generator, recipe.border)
    return random_flip(shifted, generator) if recipe.flip else shifted


def random_shift(images: Tensor, limit: int, generator: torch.Generator, border: str = "zeros") -> Tensor:
    """Shift each image, (N, H, W) or (N, C, H, W), by up to `limit` pixels each way; what comes in at the border is
    0, or with `border` "reflect" the image mirrored at its outermost pixels.
    """
    if limit == 0:
        return images
    count, height, width = images.shape[0], images.shape[-2], images.shape[-1]
    offsets = torch.randint(0, 2 * limit + 1, (2, count, 1), generator=generator).to(images.device)
    if border == "reflect":
        rows, columns = (_reflected(size, limit).to(images.device) for size in (height, width))
        padded = images.index_select(-2, rows).index_select(-1, columns)
    else:
        padded = nn.functional.pad(images, (limit, limit, limit, limit))
    places = padded.unfold(-2, height, 1).unfold(-2, width, 1)  # (N, C if there is one, offsets down, right, H, W)
    if images.ndim == 4:
        places = places.permute(0, 2, 3, 1, 4, 5)
    return places[torch.arange(count, device=images.device), offsets[0, :, 0], offsets[1, :, 0]]


def _reflected(size: int, limit: int) -> Tensor:
    """int64 (size + 2 * limit,): the places of a row of pixels and of those that mirror it, `limit` < size."""
    places = torch.arange(-limit, size + limit).abs()
    return torch.minimum(places, 2 * (size - 1) - places)


def flip_input_bits(module: nn.Module, probability: float) -> ExitStack:
    """While the stack is open, each bit that an encoder of a module gives becomes its complement with a probability.

    Draws from torch's default generator, as a model does that draws numbers itself.
    """
    stack = ExitStack()

    def flip(_: nn.Module, __: tuple[Tensor, ...], bits: Tensor) -> Tensor:
        return bits ^ (torch.rand(bits.shape, device=bits.device) < probability)

    if probability:
        for encoder in encoders(module).values():
            stack.callback(encoder.register_forward_hook(flip).remove)
    return stack


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image, (N, ..., W), left to right with probability 1/2."""
    chosen = torch.rand(len(images), generator=generator) < 0.5
    shape = (-1, *[1] * (images.ndim - 1))
    return torch.where(chosen.to(images.device).view(shape), images.flip(-1), images)
