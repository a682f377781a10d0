"""What a walk over a model's graph met: comparisons, look-ups, convolutions and the group sum, in terms of bit ids.

Whoever reads models of some format makes a `Recording`; `difflut.export.frontend.unrolled` makes the netlist of it,
`difflut.export.frontend.windowed` the circuit with window layers. None of these modules needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.circuit import MapSize, Pair
from difflut.export.circuit.netlist import FIRST_NET, Head, InputFormat, IntArray
from difflut.export.errors import TraceError

Ids = npt.NDArray[np.int64]
Tables = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sums:
    """Integer sums of codes in the window around each pixel; codes beyond the border are 0.

    Attributes:
        source: int64 (channels, rows, columns), the features of the image.
        weights: int64 (sums, channels, rows, columns), rows and columns odd; a pixel is in the middle of its window.
        first: the number of sum 0 at pixel (0, 0) among the features; sum by sum, row by row the others follow.
    """

    source: Ids
    weights: Ids
    first: int

    @property
    def size(self) -> MapSize:
        """Sums, rows and columns of pixels."""
        return MapSize(len(self.weights), *self.source.shape[1:])

    @property
    def window(self) -> Pair:
        """Rows and columns of the window."""
        return self.weights.shape[2], self.weights.shape[3]

    @property
    def padding(self) -> Pair:
        """Rows and columns beyond the border that windows reach."""
        return self.window[0] // 2, self.window[1] // 2


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Bits code[feature] >= threshold, or of a sum in place of a code.

    Attributes:
        features, thresholds: int64 (bits,), where a threshold may lie beyond the range of the codes or of the sum. The
            features from the number of the codes' on are `Sums`.
        first_id: the id of the first bit.
    """

    features: Ids
    thresholds: Ids
    first_id: int


@dataclass(frozen=True, eq=False)
class Lookups:
    """A layer of LUTs that is no convolution.

    Attributes:
        fanin: int64 (nodes, n), the ids that feed each node, input 0 first.
        tables: bool (nodes, 2**n), index bit i = input i.
        of_model: whether it is the model's next layer, or one that the encoder needs.
        first_id: the id of the first node's bit.
    """

    fanin: Ids
    tables: Tables
    of_model: bool
    first_id: int


@dataclass(frozen=True, eq=False)
class Convolution:
    """Trees of LUTs at every position of a map of bits, which is padded with zeros.

    Attributes:
        source: int64 (N, channels, rows, columns), the ids of the map, for each of N maps.
        connections: for each level of the trees int64 (nodes, n): the bits of the window, for later levels the nodes of
            the level before. Window bit (c * window[0] + i) * window[1] + j is element (i, j) of channel c.
        tables: for each level bool (nodes, 2**n).
        window, stride, padding: rows and columns.
        result: size of a map of results, whose channels are the last level's nodes; ids follow map by map, channel by
            channel, row by row.
        first_id: the id of the first result.
        operator, place: what to call it in an error, and the line of the model that it comes from.
    """

    source: Ids
    connections: tuple[Ids, ...]
    tables: tuple[Tables, ...]
    window: Pair
    stride: Pair
    padding: Pair
    result: MapSize
    first_id: int
    operator: str = "a convolution"
    place: str = ""


@dataclass(eq=False)
class Recording:
    """A model, as its graph was walked. Ids 0 and 1 are the constants, others number bits in the order in which they
    are met.

    Attributes:
        name: of the model.
        input: its codes.
        shape: of one sample.
        sums: what integer filters give.
        comparisons: the first bits of all.
        layers: look-ups and convolutions in the order of the forward; each reads bits before its own only.
        groups: for each score int64 (group size,), the ids that it counts.
        decisions: among how many neighbouring scores each decision is taken; one among all by default.
        next_id: the id of the next bit.
    """

    name: str
    input: InputFormat
    shape: tuple[int, ...]
    sums: list[Sums] = field(default_factory=list)
    comparisons: list[Comparisons] = field(default_factory=list)
    layers: list[Lookups | Convolution] = field(default_factory=list)
    groups: list[Ids] = field(default_factory=list)
    decisions: tuple[int, ...] | None = None
    next_id: int = FIRST_NET

    def add_sums(self, source: Ids, weights: Ids) -> Ids:
        """Record sums, arguments as in `Sums`; their numbers among the features, int64 (sums, rows, columns)."""
        first = self.sums[-1].first + self.sums[-1].size.bits if self.sums else self.input.features
        self.sums.append(Sums(source, weights, first))
        return first + np.arange(self.sums[-1].size.bits).reshape(self.sums[-1].size)

    def compare(self, features: npt.ArrayLike, thresholds: npt.ArrayLike) -> Ids:
        """Record comparisons, before all layers; their ids, in the shape that features and thresholds have together."""
        some, levels = np.broadcast_arrays(np.asarray(features, np.int64), np.asarray(thresholds, np.int64))
        if self.layers:
            raise TraceError(f"model {self.name!r}: a comparison was met after a layer; encode all inputs first")
        self.comparisons.append(Comparisons(some.reshape(-1), levels.reshape(-1), self.next_id))
        return self._new_ids(some.shape)

    def look_up(self, fanin: Ids, tables: Tables, of_model: bool = True) -> Ids:
        """Record a layer of LUTs, arguments as in `Lookups`; the ids (nodes,) of its bits."""
        self.layers.append(Lookups(fanin, tables, of_model, self.next_id))
        return self._new_ids((len(fanin),))

    def convolve(
        self,
        source: Ids,
        connections: tuple[Ids, ...],
        tables: tuple[Tables, ...],
        geometry: tuple[Pair, Pair, Pair],
        operator: str = "a convolution",
        place: str = "",
    ) -> Ids:
        """Record a convolution, `geometry` being window, stride and padding, the rest as in `Convolution`.

        Returns:
            The ids (N, channels, rows, columns) of its bits.
        """
        window, stride, padding = geometry
        rows, columns = (
            (source.shape[2 + axis] + 2 * padding[axis] - window[axis]) // stride[axis] + 1 for axis in (0, 1)
        )
        result = MapSize(len(connections[-1]), rows, columns)
        self.layers.append(
            Convolution(source, connections, tables, window, stride, padding, result, self.next_id, operator, place)
        )
        return self._new_ids((len(source), *result))

    def head(self, nets: IntArray) -> Head:
        """The head; `nets` has the net of each id."""
        offsets = np.cumsum([0, *map(len, self.groups)])
        return Head(offsets, nets[np.concatenate(self.groups)], self.decisions)  # type: ignore[arg-type]

    def _new_ids(self, shape: tuple[int, ...]) -> Ids:
        count = int(np.prod(shape))
        ids = np.arange(self.next_id, self.next_id + count).reshape(shape)
        self.next_id += count
        return ids


def refusal(model: str, operator: str, what: str, why: str = "", place: str = "") -> TraceError:
    """The error for an operator on `what` that has no circuit: why, and the line of the model where it stands."""
    return TraceError(
        f"model {model!r}: {operator} on {what} has no circuit{why}; bits may be moved (reshape, permute, cat, index, "
        f"pad, unfold), looked up in LUT layers and counted by GroupSum{place}"
    )
