"""A picture of one image's way through a convolutional circuit: the image, the scores, and each map as small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.inspect.image_maps import ImageMaps, MapBits
from difflut.report.figures import INK, blues, plain
from difflut.report.svg import PNG_DOTS_PER_INCH
from difflut.report.trace_figure import draw_sample, draw_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHANNELS = 64  # of a map, unless said otherwise
_WIDTH_IN, _MARGIN_IN, _TITLE_IN, _TOP_IN, _CAPTION_IN = 9.0, 0.35, 0.4, 1.75, 0.35
_ACROSS = 16  # small images in a row at most
_LARGEST_IN = 1.1  # of a small image
_MOST_BITS = 1 << 21  # of a map
_MOST_COLUMNS = int(_WIDTH_IN * PNG_DOTS_PER_INCH)  # of a small image, so that each bit has a dot
_TALLEST_IN = 400.0  # what PNG writers take at this resolution


@dataclass(frozen=True)
class _Tiles:
    """How the channels of a map are laid out.

    Attributes:
        item: the map.
        shown: how many of its channels.
        across: in a row.
        width_in: of one.
    """

    item: MapBits
    shown: int
    across: int
    width_in: float

    @property
    def down(self) -> int:
        """Rows of small images."""
        return -(-self.shown // self.across)

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of all, a dot between two."""
        _, rows, columns = self.item.bits.shape
        return self.down * (rows + 1) - 1, self.across * (columns + 1) - 1

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of all."""
        rows, columns = self.pixels
        width = self.width_in * columns / (self.item.bits.shape[2] + 1)
        return width, width * rows / columns

    @property
    def words(self) -> str:
        """What stands above it."""
        channels, rows, columns = self.item.bits.shape
        some = f"{channels:,}" if self.shown == channels else f"the first {self.shown:,} of {channels:,}"
        return f"map {self.item.number}: {self.item.made}; {some} channels of {rows} × {columns}"


def shown_channels(item: MapBits, most: int) -> int:
    """How many channels of a map are drawn where at most `most` are wanted."""
    channels, rows, columns = item.bits.shape
    return int(min(channels, most, max(1, _MOST_BITS // (rows * columns))))


def draw_maps(maps: ImageMaps, shape: tuple[int, ...], title: str, most: int = CHANNELS) -> Figure:
    """The picture; blue where a bit is 1, faint where it is 0.

    Args:
        maps: what the circuit did.
        shape: of one sample.
        title: what stands above.
        most: channels of a map that are drawn; the first ones.

    Raises:
        ConfigError: the picture would be too large; says what to do.
    """
    from matplotlib.figure import Figure

    tiles = [_tiles(item, most) for item in maps.maps]
    height = _TITLE_IN + _TOP_IN + sum(_CAPTION_IN + tile.size_in[1] for tile in tiles) + _MARGIN_IN / 2
    if height > _TALLEST_IN:
        raise ConfigError(f"the picture would be {height:.0f} inches tall; draw fewer channels of a map (--channels)")
    figure = Figure(figsize=(_WIDTH_IN + 2 * _MARGIN_IN, height))
    left = _MARGIN_IN / figure.get_figwidth()
    figure.suptitle(title, fontsize=11, color=INK, parse_math=False, x=left, y=1 - 0.12 / height, ha="left")
    draw_sample(_axes(figure, _MARGIN_IN, _TITLE_IN + 0.2, _TOP_IN - 0.45, _TOP_IN - 0.45), maps.codes, shape)
    scores = _axes(figure, _MARGIN_IN + _TOP_IN + 0.3, _TITLE_IN + 0.2, 3.4, _TOP_IN - 0.5)
    draw_scores(scores, maps.scores, maps.predicted)
    top = _TITLE_IN + _TOP_IN
    for tile in tiles:
        axes = _axes(figure, _MARGIN_IN, top + _CAPTION_IN, *tile.size_in)
        axes.imshow(_mosaic(tile), cmap=blues(0.12), vmin=0, vmax=1, interpolation="none", aspect="auto")
        axes.set_title(tile.words, fontsize=9, color=INK, loc="left", parse_math=False)
        _number(axes, tile)
        top += _CAPTION_IN + tile.size_in[1]
    return figure


def _tiles(item: MapBits, most: int) -> _Tiles:
    _, _, columns = item.bits.shape
    if columns > _MOST_COLUMNS:
        raise ConfigError(
            f"map {item.number} is {columns:,} pixels wide; a picture has room for at most {_MOST_COLUMNS:,}"
        )
    shown = shown_channels(item, most)
    across = max(1, min(shown, _ACROSS, _MOST_COLUMNS // (columns + 1)))
    return _Tiles(item, shown, across, max(min(_LARGEST_IN, _WIDTH_IN / across), columns / PNG_DOTS_PER_INCH))


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the top left."""
    whole_width, whole_height = figure.get_size_inches()
    place = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    axes: Axes = figure.add_axes(place)
    plain(axes)
    return axes


def _mosaic(tiles: _Tiles) -> npt.NDArray[np.float64]:
    """The channels side by side, NaN between them."""
    _, rows, columns = tiles.item.bits.shape
    mosaic = np.full(tiles.pixels, np.nan)
    for channel in range(tiles.shown):
        down, right = divmod(channel, tiles.across)
        y, x = down * (rows + 1), right * (columns + 1)
        mosaic[y : y + rows, x : x + columns] = tiles.item.bits[channel]
    return mosaic


def _number(axes: Axes, tiles: _Tiles) -> None:
    """The number of the first channel of each row."""
    rows = tiles.item.bits.shape[1]
    places = [down * (rows + 1) + (rows - 1) / 2 for down in range(tiles.down)]
    axes.set_yticks(places, [str(down * tiles.across) for down in range(tiles.down)])
    axes.tick_params(length=0, labelsize=6)
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
