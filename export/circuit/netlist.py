"""The intermediate representation: a netlist of comparators and LUTs with a word-level head.

This module is free of torch; `difflut.export.frontend.trace` builds a `Netlist` from a model, passes rewrite it,
back-ends print it, `difflut.export.circuit.simulate` defines what it means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.codes import CodeRange
from difflut.export.circuit.bits import WordArray, pack, unpack
from difflut.export.errors import ExportError, NetlistError
from difflut.shown import Brief

CONST0 = 0
CONST1 = 1
FIRST_NET = 2
MAX_INPUTS = 8

IntArray = npt.NDArray[np.int32]
OffsetArray = npt.NDArray[np.int64]


class CodesError(ExportError, ValueError):
    """Input codes have the wrong type, shape or range for a netlist; names what was given and expected."""


def frozen(field: str, values: npt.ArrayLike, dtype: Any) -> Any:
    """A read-only array of the given type with the same values; read-only arrays that own their data are shared."""
    array = np.asarray(values)
    if array.dtype == dtype and not array.flags.writeable and array.base is None and array.flags.c_contiguous:
        return array
    result = np.array(array, dtype=dtype, order="C")
    if array.dtype != dtype and not np.array_equal(array, result):
        raise NetlistError(
            f"{field}: values of type {array.dtype} from {array.min()} to {array.max()} do not fit "
            f"{np.dtype(dtype).name}, which the netlist stores"
        )
    result.setflags(write=False)
    return result


@dataclass(frozen=True, repr=False)
class InputFormat(Brief, CodeRange):
    """What the hardware receives: `features` integer codes of `width_bits` bits each.

    Feature i occupies the bits [width_bits*i + width_bits-1 : width_bits*i] of the port `in_codes`; signed codes are
    two's complement.
    """

    features: int
    width_bits: int
    signed: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers stand for a feature or a bit of one; see `number`."""
        return self.features * (1 if self._is_bit else 1 + self.width_bits)

    @property
    def _is_bit(self) -> bool:
        return self.width_bits == 1 and not self.signed

    def number(self, features: npt.ArrayLike, bits: npt.ArrayLike) -> OffsetArray:
        """int64: what a comparator calls a bit of a feature's code; an unsigned code of one bit is that bit."""
        feature = np.asarray(features, np.int64)
        return feature if self._is_bit else self.features + feature * self.width_bits + np.asarray(bits, np.int64)

    def features_and_bits(self, numbers: npt.ArrayLike) -> tuple[OffsetArray, OffsetArray]:
        """The features and bits, int64, that numbers stand for; the bit of a whole feature is -1."""
        number = np.asarray(numbers, np.int64)
        feature, bit = np.divmod(number - self.features, self.width_bits)
        whole = number < self.features
        return np.where(whole, number, feature), np.where(whole, -1, bit)

    def check_codes(self, codes: npt.ArrayLike) -> npt.NDArray[Any]:
        """`codes` as an integer array (N, features) within range, else `CodesError`; the data is not copied."""
        array = np.asarray(codes)
        if array.dtype.kind not in "iu":
            raise CodesError(
                f"codes have type {array.dtype}; expected an integer type: quantise the inputs to integer codes first"
            )
        if array.ndim != 2 or array.shape[1] != self.features:
            raise CodesError(
                f"codes have shape {array.shape}; expected (N, {self.features}), one row a sample and one column a "
                f"feature: reshape or flatten them"
            )
        held = np.iinfo(array.dtype)
        if array.size and (held.min < self.lowest or held.max > self.highest):  # others need no look
            lowest, highest = int(array.min()), int(array.max())
            if lowest < self.lowest or highest > self.highest:
                sign = "signed" if self.signed else "unsigned"
                raise CodesError(
                    f"codes run from {lowest} to {highest}; expected {self.lowest} to {self.highest} "
                    f"({sign}, {self.width_bits} bits): clip or quantise them to the input format"
                )
        return array


@dataclass(frozen=True, eq=False, repr=False)
class Head(Brief):
    """Group sum and argmax: score k is the number of ones among `nets[offsets[k]:offsets[k+1]]`.

    A decision is the position of the largest among neighbouring scores; ties go to the lowest one. Most heads take one
    decision, the class, among all scores. `score >= T` is the decision between a score of T - 1 ones and that score; a
    score on its own, a number, has nothing to decide. The class word has a field of `class_width_bits` bits for each
    decision among two or more scores, the first one lowest; without one it is the bit 0.

    Attributes:
        offsets: int64 (classes + 1,), strictly ascending (every group counts at least one net), starts with 0.
        nets: int32 (offsets[-1],), net ids; a net may occur more than once and then counts that often.
        decisions: int32 (D,), among how many scores each is taken, all of them in their order; one among all by
            default.
    """

    offsets: OffsetArray
    nets: IntArray
    decisions: IntArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "offsets", frozen("head.offsets", self.offsets, np.int64))
        object.__setattr__(self, "nets", frozen("head.nets", self.nets, np.int32))
        decisions = [self.classes] if self.decisions is None else self.decisions
        object.__setattr__(self, "decisions", frozen("head.decisions", decisions, np.int32))

    @property
    def classes(self) -> int:
        """The number of scores."""
        return len(self.offsets) - 1

    @property
    def score_width_bits(self) -> int:
        """The width of one (unsigned) score: enough for the largest group, at least 1."""
        largest = int(np.diff(self.offsets).max(initial=0))
        return max(1, largest.bit_length())

    @property
    def class_width_bits(self) -> int:
        """The width of the index that a decision gives, that of the largest one, at least 1."""
        return max(1, (int(self.decisions.max(initial=0)) - 1).bit_length())

    @property
    def class_word_bits(self) -> int:
        """The width of the class word, at least 1."""
        return max(1, int((self.decisions > 1).sum()) * self.class_width_bits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Head):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in _HEAD_ARRAYS)

    __hash__ = None  # type: ignore[assignment]


_HEAD_ARRAYS = ("offsets", "nets", "decisions")


@dataclass(frozen=True, eq=False, repr=False)
class Netlist(Brief):
    """An immutable circuit from integer codes to scores and a class index. This docstring is its specification.

    **Input.** `input` has at least one feature of 1 to 31 bits, so that thresholds fit int32.

    **Nets.** A net is one bit and is named by an integer. Net 0 is constant 0, net 1 is constant 1. With C comparators
    and L LUTs, comparator i drives net 2+i and LUT j drives net 2+C+j; there are no other nets.

    **Comparators.** Net 2+i is 1 exactly when the code of feature `compare_feature[i]` is >= `compare_threshold[i]`.
    A threshold lies in (input.lowest, input.highest]: a comparison that is always true or always false is a constant.
    Features are numbered from 0 to F - 1. The number F + f * input.width_bits + k stands for bit k of the code of
    feature f, two's complement if it is signed; its only threshold is 1, so that the comparator is the bit. Unsigned
    codes of one bit have no such numbers.

    **LUTs.** LUT j has n = `lut_offsets[j+1] - lut_offsets[j]` inputs, 1 <= n <= 8, driven by the nets
    `lut_fanin[lut_offsets[j]:lut_offsets[j+1]]`; input i gives bit i of the table address (LSB first). Its output
    is bit `address` of its table of 2**n bits. The table occupies max(1, 2**n / 64) words of `lut_tables`, starting at
    word `table_offsets[j]`; bit a of the table is bit a % 64 of word a // 64 of it; unused upper bits of a word are 0.

    **Order.** Cells are in topological order: every fan-in net of LUT j is smaller than 2+C+j.

    **Stages.** `stage[c]` is the pipeline stage of cell c, comparators first, then LUTs. The outputs of stage s
    cells are registered at the end of stage s; a cell reads nets of its own stage combinationally and nets of
    earlier stages through registers, one a stage. Stage 0 is combinational from the input port. A cell's stage is
    never smaller than that of a net it reads. Constants belong to every stage. In a netlist fresh from tracing every
    stage is 0; the pass `assign_stages` gives stages.

    **Origin.** `lut_layer[j]` and `lut_node[j]` name the model's layer (counted from 1 in the order of the forward) and
    the node (counted from 0) that LUT j came from; both are -1 for a LUT that the encoder needs or a pass invented.

    **Head.** See `Head`; it reads nets of any stage, aligned to the last stage in use.

    Instances are built by `NetlistBuilder`, checked by `difflut.export.circuit.rules.check`, and compared by value with
    `==`.
    """

    name: str
    input: InputFormat
    compare_feature: IntArray
    compare_threshold: IntArray
    lut_offsets: OffsetArray
    lut_fanin: IntArray
    lut_tables: WordArray
    stage: IntArray
    lut_layer: IntArray
    lut_node: IntArray
    head: Head

    def __post_init__(self) -> None:
        for field, dtype in _ARRAYS.items():
            object.__setattr__(self, field, frozen(field, getattr(self, field), dtype))

    @property
    def comparators(self) -> int:
        """C, the number of comparators."""
        return len(self.compare_feature)

    @property
    def luts(self) -> int:
        """L, the number of LUTs."""
        return len(self.lut_offsets) - 1

    @property
    def nets(self) -> int:
        """The number of nets, the two constants included."""
        return FIRST_NET + self.comparators + self.luts

    @property
    def first_lut_net(self) -> int:
        """The net of LUT 0."""
        return FIRST_NET + self.comparators

    @cached_property
    def lut_inputs(self) -> IntArray:
        """int32 (L,): the number of inputs of each LUT."""
        inputs: IntArray = frozen("lut_inputs", np.diff(self.lut_offsets), np.int32)
        return inputs

    @cached_property
    def table_offsets(self) -> OffsetArray:
        """int64 (L + 1,): where each LUT's table starts in `lut_tables`."""
        offsets: OffsetArray = frozen("table_offsets", table_offsets(self.lut_inputs), np.int64)
        return offsets

    @property
    def last_stage(self) -> int:
        """The largest stage in use (0 for a combinational netlist)."""
        return int(self.stage.max(initial=0))

    def fanin(self, lut: int) -> IntArray:
        """int32 (n,): the nets that LUT `lut` reads."""
        return self.lut_fanin[self.lut_offsets[lut] : self.lut_offsets[lut + 1]]

    def table(self, lut: int) -> int:
        """The table of LUT `lut` as an integer: bit a is the output at address a."""
        offsets = self.table_offsets
        words = self.lut_tables[offsets[lut] : offsets[lut + 1]]
        return int.from_bytes(words.astype("<u8").tobytes(), "little")

    def tables_of(self, luts: npt.NDArray[np.integer], n: int) -> npt.NDArray[np.bool_]:
        """bool (luts, 2**n): the tables of some LUTs, all with n inputs; the last index is the address."""
        words = self.table_offsets[luts][:, None] + np.arange(max(1, (1 << n) // 64))
        return unpack(self.lut_tables[words], 1 << n)

    def with_(self, **changes: Any) -> Netlist:
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def keep_cells(self, keep: npt.NDArray[np.bool_], alias: npt.NDArray[Any] | None = None) -> Netlist:
        """A copy without some cells; the others keep their order and are renumbered.

        Args:
            keep: bool (C + L,), comparators first; False drops the cell.
            alias: int (nets,), the (old) net that the readers of each (old) net read instead; by default each net
                itself. Whoever drops a cell that is read must alias it to a net that stays.
        """
        renumbered = np.full(self.nets, -1, np.int32)
        renumbered[[CONST0, CONST1]] = CONST0, CONST1
        renumbered[FIRST_NET:][keep] = np.arange(FIRST_NET, FIRST_NET + np.count_nonzero(keep), dtype=np.int32)
        if alias is not None:
            renumbered = renumbered[alias]
        compare, lut = keep[: self.comparators], keep[self.comparators :]
        return self.with_(
            compare_feature=self.compare_feature[compare],
            compare_threshold=self.compare_threshold[compare],
            lut_offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lut_inputs[lut], dtype=np.int64)]),
            lut_fanin=renumbered[self.lut_fanin[np.repeat(lut, self.lut_inputs)]],
            lut_tables=self.lut_tables[np.repeat(lut, np.diff(self.table_offsets))],
            stage=self.stage[keep],
            lut_layer=self.lut_layer[lut],
            lut_node=self.lut_node[lut],
            head=replace(self.head, nets=renumbered[self.head.nets]),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Netlist):
            return NotImplemented
        return (
            self.name == other.name
            and self.input == other.input
            and all(np.array_equal(getattr(self, field), getattr(other, field)) for field in _ARRAYS)
            and self.head == other.head
        )

    __hash__ = None  # type: ignore[assignment]


_ARRAYS: dict[str, Any] = {
    "compare_feature": np.int32,
    "compare_threshold": np.int32,
    "lut_offsets": np.int64,
    "lut_fanin": np.int32,
    "lut_tables": np.uint64,
    "stage": np.int32,
    "lut_layer": np.int32,
    "lut_node": np.int32,
}


def table_offsets(lut_inputs: npt.NDArray[Any]) -> OffsetArray:
    """int64 (L + 1,): table word offsets of LUTs with the given numbers of inputs."""
    offsets = np.zeros(len(lut_inputs) + 1, np.int64)
    np.cumsum(np.left_shift(1, np.maximum(lut_inputs.astype(np.int64) - 6, 0)), out=offsets[1:])
    return offsets


def comparator_keys(feature: npt.NDArray[Any], threshold: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """int64 keys, equal exactly for equal comparisons and ascending by feature, then threshold."""
    keys: npt.NDArray[np.int64] = (feature.astype(np.int64) << 32) + threshold
    return keys


class NetlistBuilder:
    """Collects comparators and whole layers of LUTs, then freezes them into a `Netlist`.

    All comparators must be added before the first layer, because their nets come first. `layers_before` layers of the
    model are not part of the netlist and come before the first one added.
    """

    def __init__(self, name: str, input_format: InputFormat, layers_before: int = 0) -> None:
        self.name = name
        self.input = input_format
        self._features: list[IntArray] = []
        self._thresholds: list[IntArray] = []
        self._fanins: list[IntArray] = []
        self._inputs: list[IntArray] = []
        self._tables: list[WordArray] = []
        self._layers: list[IntArray] = []
        self._nodes: list[IntArray] = []
        self._model_layers = layers_before
        self._next = FIRST_NET

    def add_comparators(self, features: npt.ArrayLike, thresholds: npt.ArrayLike) -> IntArray:
        """Add comparators `code[features] >= thresholds` and return their nets, int32, in the given shape.

        A threshold at or below the lowest code gives net 1, one above the highest code net 0; equal comparisons
        within one call share a net.
        """
        if self._nodes:
            raise NetlistError(
                f"netlist {self.name!r}: comparators were added after a LUT layer; encode all inputs before the first"
            )
        feature = np.asarray(features, dtype=np.int64)
        threshold = np.asarray(thresholds, dtype=np.int64)
        feature, threshold = np.broadcast_arrays(feature, threshold)
        shape = feature.shape
        feature, threshold = feature.reshape(-1), threshold.reshape(-1)
        nets = np.full(feature.shape, CONST0, dtype=np.int32)
        nets[threshold <= self.input.lowest] = CONST1
        real = (threshold > self.input.lowest) & (threshold <= self.input.highest)
        keys = comparator_keys(feature[real], threshold[real])
        _, first, index = np.unique(keys, return_index=True, return_inverse=True)
        nets[real] = self._next + index
        self._features.append(feature[real][first].astype(np.int32))
        self._thresholds.append(threshold[real][first].astype(np.int32))
        self._next += len(first)
        return nets.reshape(shape)

    def add_bits(self, features: npt.ArrayLike, bits: npt.ArrayLike) -> IntArray:
        """Add comparators that are bits of codes, no bit twice, and return their nets, int32, in the given shape."""
        if self._nodes:
            raise NetlistError(f"netlist {self.name!r}: bits were added after a LUT layer; add them before the first")
        number = self.input.number(features, bits)
        self._features.append(number.reshape(-1).astype(np.int32))
        self._thresholds.append(np.ones(number.size, np.int32))
        nets = np.arange(self._next, self._next + number.size, dtype=np.int32)
        self._next += number.size
        return nets.reshape(number.shape)

    def add_layer(self, fanin: npt.ArrayLike, tables: npt.NDArray[np.bool_], *, of_model: bool = True) -> IntArray:
        """Add a layer of LUTs and return their nets, int32 (nodes,).

        Args:
            fanin: int (nodes, n), the nets that feed each node, input 0 first.
            tables: bool (nodes, 2**n), index bit i = input i.
            of_model: whether this is the model's next layer; otherwise the LUTs' origin is -1, as the encoder's is.
        """
        feeds: IntArray = frozen("fanin", fanin, np.int32)
        nodes, n = feeds.shape
        if tables.shape != (nodes, 1 << n):
            raise NetlistError(
                f"a layer of {nodes} nodes with {n} inputs needs tables {(nodes, 1 << n)}, got {tables.shape}"
            )
        self._fanins.append(feeds.reshape(-1))
        self._inputs.append(np.full(nodes, n, dtype=np.int32))
        self._tables.append(pack(np.asarray(tables, dtype=np.bool_)).reshape(-1))
        self._model_layers += of_model
        self._layers.append(np.full(nodes, self._model_layers if of_model else -1, np.int32))
        self._nodes.append(np.arange(nodes, dtype=np.int32) if of_model else np.full(nodes, -1, np.int32))
        nets = np.arange(self._next, self._next + nodes, dtype=np.int32)
        self._next += nodes
        return nets

    def finish(self, groups: npt.ArrayLike | Head) -> Netlist:
        """Freeze. `groups`: int (classes, group size), the nets that each score counts; a `Head` for unequal groups."""
        if not isinstance(groups, Head):
            nets = np.asarray(groups)
            classes, size = nets.shape
            groups = Head(np.arange(classes + 1, dtype=np.int64) * size, nets.reshape(-1))

        def join(parts: list[Any], dtype: Any) -> Any:
            return np.concatenate([np.zeros(0, dtype), *parts])

        inputs = join(self._inputs, np.int32)
        return Netlist(
            name=self.name,
            input=self.input,
            compare_feature=join(self._features, np.int32),
            compare_threshold=join(self._thresholds, np.int32),
            lut_offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(inputs, dtype=np.int64)]),
            lut_fanin=join(self._fanins, np.int32),
            lut_tables=join(self._tables, np.uint64),
            stage=np.zeros(self._next - FIRST_NET, np.int32),
            lut_layer=join(self._layers, np.int32),
            lut_node=join(self._nodes, np.int32),
            head=groups,
        )
