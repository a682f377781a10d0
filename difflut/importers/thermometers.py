"""Thermometers of images: thresholds of all features, each colour or each feature, and the order of their bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.importers.contents import Content
from difflut.importers.said import Said


def thermometer(content: Content, said: Said, held: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
    """Thresholds (F, T) of those in the file, or of those that are given: (F, T), of an image's colours (C, T), or of
    all (T,) or (1, T). None if there are none.

    Raises:
        NetworkFileError: they are of another shape.
    """
    given = said.thresholds if held is None else held
    if given is None:
        return None
    thresholds = given[None] if given.ndim == 1 else given
    if thresholds.ndim != 2 or 0 in thresholds.shape:
        raise content.refuse(f"thresholds are {given.shape}; expected (features, thresholds per feature)")
    if said.image_size is None:
        if given.ndim == 1:
            raise content.refuse(
                f"thresholds are {given.shape}, for all features alike, of which the file does not say how many there "
                "are; give --image C,H,W (image= in Python), 1,1,F for F features without colours"
            )
        return thresholds
    colours, rows, columns = said.image_size
    features = colours * rows * columns
    for count in (1, colours, features):
        if len(thresholds) == count:
            return np.repeat(thresholds, features // count, axis=0)
    raise content.refuse(
        f"thresholds are {given.shape}; expected a row for all, for each of {colours} colours or of {features} features"
    )


def planes_of(content: Content, said: Said, thresholds: npt.NDArray[Any] | None) -> int | None:
    """`Network.planes`, of what the user says.

    Raises:
        NetworkFileError: it matters and is not said, or planes are said of no image.
    """
    if said.bit_order == "planes" and said.image_size is None:
        raise content.refuse("bits are said to be planes of an image; give --image C,H,W (image= in Python)")
    if said.bit_order not in (None, "features", "planes"):
        raise content.refuse(f"the bit order is said to be {said.bit_order!a:.40}; expected features or planes")
    if said.bit_order is None and said.image_size is not None and thresholds is not None and thresholds.shape[1] > 1:
        raise content.refuse(
            "does not say in which order an image's bits are; give --bit-order planes where the thermometer has "
            "feature_dim=1, --bit-order features otherwise (bit_order= in Python)"
        )
    return said.image_size[0] if said.bit_order == "planes" and said.image_size is not None else None
