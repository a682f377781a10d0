"""Random shifts and mirroring of images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from difflut.errors import ConfigError
from difflut.training import Recipe
from difflut.training.augmentation import augment, random_flip, random_shift


def images(*shape: int) -> Tensor:
    return torch.randint(1, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(60, 4, 5), (60, 3, 4, 5)])
@pytest.mark.parametrize("limit", [0, 1, 2])
def test_random_shift(shape: tuple[int, ...], limit: int) -> None:
    given = images(*shape)
    shifted = random_shift(given, limit, seeded())
    assert (shifted.shape, shifted.dtype) == (given.shape, given.dtype)
    offsets = set()
    padded = torch.nn.functional.pad(given, [limit] * 4)
    for before, after in zip(padded, shifted, strict=True):
        matches = [
            (i, j)
            for i in range(2 * limit + 1)
            for j in range(2 * limit + 1)
            if torch.equal(before[..., i : i + 4, j : j + 5], after)
        ]
        assert matches
        offsets.add(matches[0])
    assert len(offsets) == (2 * limit + 1) ** 2


def test_channels_move_together_as_one_plane_does() -> None:
    plane = images(20, 6, 6)
    shifted = random_shift(plane[:, None].repeat(1, 3, 1, 1), 2, seeded())
    assert torch.equal(shifted, random_shift(plane, 2, seeded())[:, None].expand_as(shifted))


@pytest.mark.parametrize("shape", [(60, 4, 5), (60, 3, 4, 5)])
def test_random_flip(shape: tuple[int, ...]) -> None:
    given = images(*shape)
    flipped = random_flip(given, seeded())
    mirrored = [torch.equal(after, before.flip(-1)) for before, after in zip(given, flipped, strict=True)]
    assert all(m or torch.equal(a, b) for m, a, b in zip(mirrored, given, flipped, strict=True))
    assert 15 < sum(mirrored) < 45


def test_mirroring_leaves_the_shifts_as_they_are() -> None:
    given = images(20, 6, 6)
    shifted = augment(given, Recipe(max_shift=1), seeded())
    both = augment(given, Recipe(max_shift=1, flip=True), seeded())
    assert torch.equal(shifted, random_shift(given, 1, seeded()))
    assert all(torch.equal(a, b) or torch.equal(a.flip(-1), b) for a, b in zip(shifted, both, strict=True))
    assert not torch.equal(shifted, both)


def test_nothing_is_drawn_without_need() -> None:
    generator = seeded()
    given = images(20, 6)
    assert augment(given, Recipe(), generator) is given
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("recipe", [Recipe(max_shift=1), Recipe(flip=True)])
def test_samples_that_are_no_images(recipe: Recipe) -> None:
    with pytest.raises(ConfigError) as caught:
        augment(images(20, 6), recipe, seeded())
    assert str(caught.value) == (
        "the recipe shifts or mirrors images, but a sample has shape (6,); expected (H, W) or (C, H, W), or a recipe "
        "with max_shift=0 and flip=False"
    )
