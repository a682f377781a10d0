"""How an encoder's comparisons are built from the code bits, with as few LUTs as possible.

A plan is data: it says which small LUTs to build and what they read. Back-ends print it, `compute` evaluates it, and
its `luts` is the exact number of LUTs. The circuits of single features are made by
`difflut.export.schedule.encoder.cells`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.bits import WordArray
from difflut.export.circuit.netlist import InputFormat, IntArray, Netlist, OffsetArray
from difflut.export.families.family import Family
from difflut.export.families.generic import GENERIC
from difflut.export.schedule.encoder import cells as encoder_cells
from difflut.export.schedule.encoder.cells import Cell, Circuit, Prices


@dataclass(frozen=True, eq=False)
class EncoderPlan:
    """The LUTs of an encoder. This docstring is its specification.

    **Signals** are numbered. With F features of w bits, signal w*f + i is bit i of the code of feature f as the port
    `in_codes` has it (the sign bit of a signed code is bit w - 1), and signal F*w + j is the output of cell j.

    **Cells.** Cell j has n = `cell_offsets[j+1] - cell_offsets[j]` inputs, 1 <= n <= the family's LUT inputs, the
    signals `cell_fanin[cell_offsets[j]:cell_offsets[j+1]]`; input i gives bit i of the address (LSB first), and the
    output is bit `address` of `cell_tables[j]`. Cells are ordered by `cell_level`: a cell of level 0 reads only code
    bits, any other cell at least one cell of the level below and none of its own level or above.

    **Outputs.** Comparator i of the netlist is the signal `outputs[i]`; one that is a bit of a code is that bit.

    **Partners.** Cells j and `partner[j]` share one dual-output LUT: they have the same level and read at most
    `lut_inputs` - 1 signals together. -1 where cell j has a LUT to itself.
    """

    input: InputFormat
    family: Family
    cell_offsets: OffsetArray
    cell_fanin: IntArray
    cell_tables: WordArray
    cell_level: IntArray
    partner: IntArray
    outputs: IntArray

    @property
    def cells(self) -> int:
        """The number of cells."""
        return len(self.cell_tables)

    @property
    def first_cell(self) -> int:
        """The signal of cell 0."""
        return self.input.features * self.input.width_bits

    @property
    def luts(self) -> int:
        """The number of LUTs; two cells that share one count once."""
        return self.cells - int(np.count_nonzero(self.partner >= 0)) // 2

    @property
    def levels(self) -> int:
        """The largest number of LUTs between a code bit and a comparator's output; 0 if all are wires."""
        return int(self.cell_level.max(initial=-1)) + 1

    @cached_property
    def level_starts(self) -> IntArray:
        """int32 (levels + 1,): the cells of level l are those from `level_starts[l]` to `level_starts[l + 1]` - 1."""
        return np.searchsorted(self.cell_level, np.arange(self.levels + 1)).astype(np.int32)

    @cached_property
    def output_levels(self) -> IntArray:
        """int32 (C,): how many LUTs lie between the code bits and each comparator's output."""
        levels = np.concatenate([np.zeros(self.first_cell, np.int32), self.cell_level + 1])
        return levels[self.outputs].astype(np.int32)

    def fanin(self, cell: int) -> IntArray:
        """int32 (n,): the signals that a cell reads."""
        return self.cell_fanin[self.cell_offsets[cell] : self.cell_offsets[cell + 1]]


def plan_encoder(netlist: Netlist, family: Family = GENERIC) -> EncoderPlan:
    """Plan the comparators of a netlist for a family.

    Each feature gets the cheapest circuit of those that `encoder_cells` knows; equal comparisons are built once. On
    families with dual-output LUTs small cells of different features share LUTs.
    """
    plans = [_plan(netlist, family, prices) for prices in _prices(family)]
    return min(plans, key=lambda plan: (plan.luts, plan.levels))


def compute(plan: EncoderPlan, codes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """What the planned LUTs give: bool (N, C) from integer codes (N, F). It does not look at the thresholds.

    Raises:
        CodesError: `codes` has the wrong type, shape or range.
    """
    form = plan.input
    checked = form.check_codes(codes).astype(np.int64)
    shifts = np.arange(form.width_bits)
    bits = (checked[:, :, None] >> shifts & 1).astype(np.uint8).reshape(len(checked), -1)
    signals = np.zeros((plan.first_cell + plan.cells, len(checked)), np.uint8)
    signals[: plan.first_cell] = bits.T
    for cell in range(plan.cells):
        address = np.zeros(len(checked), np.uint64)
        for i, signal in enumerate(plan.fanin(cell).tolist()):
            address |= signals[signal].astype(np.uint64) << np.uint64(i)
        signals[plan.first_cell + cell] = plan.cell_tables[cell] >> address & np.uint64(1)
    return signals[plan.outputs].T.astype(np.bool_)


@dataclass(frozen=True)
class _Template:
    """A circuit ready to be placed: tables, levels, partners, and which cells may find a partner elsewhere."""

    circuit: Circuit
    tables: tuple[int, ...]
    levels: tuple[int, ...]
    partners: tuple[int, ...]


@lru_cache(maxsize=1 << 16)
def _template(circuit: Circuit, signed: bool, family: Family, prices: Prices) -> _Template:
    placed = _with_sign(circuit) if signed else circuit
    tables = tuple(cell.table() for cell in placed.cells)
    pairs = tuple(encoder_cells.partners(placed, family, prices))
    return _Template(placed, tables, tuple(placed.levels()), pairs)


def _with_sign(circuit: Circuit) -> Circuit:
    """The circuit on signed codes, whose sign bit is the inverse of the upper bit of the unsigned code in the same
    order.
    """
    sign = circuit.width - 1

    def inverted(cell: Cell) -> Cell:
        if sign not in cell.inputs:
            return cell
        at = cell.inputs.index(sign)
        return replace(cell, function=lambda bits: cell.function([b ^ (i == at) for i, b in enumerate(bits)]))

    cells = [inverted(cell) for cell in circuit.cells]
    outputs = list(circuit.outputs)
    if sign in outputs:
        outputs[outputs.index(sign)] = circuit.width + len(cells)
        cells.append(Cell((sign,), lambda bits: not bits[0]))
    return replace(circuit, cells=tuple(cells), outputs=tuple(outputs))


def _prices(family: Family) -> list[Prices]:
    return [encoder_cells.SHARED, encoder_cells.ALONE] if family.dual_output else [encoder_cells.ALONE]


def _plan(netlist: Netlist, family: Family, prices: Prices) -> EncoderPlan:
    width, signed = netlist.input.width_bits, netlist.input.signed
    by_feature: dict[int, list[int]] = {}
    whole = netlist.compare_feature < netlist.input.features
    above_lowest = netlist.compare_threshold[whole].astype(np.int64) - netlist.input.lowest
    for feature, threshold in zip(netlist.compare_feature[whole].tolist(), above_lowest.tolist(), strict=True):
        by_feature.setdefault(feature, []).append(threshold)
    thresholds = {feature: tuple(sorted(set(found))) for feature, found in sorted(by_feature.items())}
    circuits = {feature: encoder_cells.cheapest(width, found, family, prices) for feature, found in thresholds.items()}
    if family.dual_output and prices == encoder_cells.SHARED:
        _balance(circuits, thresholds, family)
    placed = [(feature, _template(circuit, signed, family, prices)) for feature, circuit in circuits.items()]
    return _place(netlist, family, placed, thresholds)


def _balance(circuits: dict[int, Circuit], thresholds: dict[int, tuple[int, ...]], family: Family) -> None:
    """Exchange cells of three inputs for pairs of cells of two inputs, until as many of either sort want partners."""
    spreads = {}
    wanting = {2: 0, 3: 0}
    for feature, circuit in circuits.items():
        pairs = encoder_cells.partners(circuit, family, encoder_cells.SHARED)
        for cell, partner in zip(circuit.cells, pairs, strict=True):
            inputs = max(len(cell.inputs), 2)
            if partner < 0 and inputs <= 3:
                wanting[inputs] += 1
        if len(thresholds[feature]) == 1:
            other = encoder_cells.spread(circuit.width, thresholds[feature][0], family)
            if other is not None and len(circuit.cells) == 2:
                spreads[feature] = other
    count = min(max(0, (wanting[3] - wanting[2]) // 3), len(spreads))
    features = list(spreads)
    for i in range(count):  # evenly, so that partners are near each other
        feature = features[i * len(features) // count]
        circuits[feature] = spreads[feature]


def _place(
    netlist: Netlist, family: Family, placed: list[tuple[int, _Template]], thresholds: dict[int, tuple[int, ...]]
) -> EncoderPlan:
    """Number the signals of all features, order the cells by level, and pair what is left over."""
    width = netlist.input.width_bits
    first_cell = netlist.input.features * width
    fanin: list[int] = []
    sizes: list[int] = []
    tables: list[int] = []
    levels: list[int] = []
    partner: list[int] = []
    signal_of: dict[tuple[int, int], int] = {}
    for feature, template in placed:
        first = len(tables)
        signals = [*range(feature * width, (feature + 1) * width)]
        signals += range(first_cell + first, first_cell + first + len(template.tables))
        for cell in template.circuit.cells:
            fanin += [signals[s] for s in cell.inputs]
            sizes.append(len(cell.inputs))
        tables += template.tables
        levels += template.levels
        partner += [first + p if p >= 0 else -1 for p in template.partners]
        outputs = [signals[s] for s in template.circuit.outputs]
        signal_of |= zip([(feature, t) for t in thresholds[feature]], outputs, strict=True)
    pairing = np.array(partner, np.int32)
    if family.dual_output:
        _pair_across(pairing, np.array(sizes), np.array(levels), family.lut_inputs)

    order = np.argsort(np.array(levels, np.int32), kind="stable")
    new = np.empty(len(order), np.int32)
    new[order] = np.arange(len(order), dtype=np.int32)
    renumbered = np.concatenate([np.arange(first_cell, dtype=np.int32), first_cell + new])
    lengths = np.array(sizes, np.int64)
    starts = np.cumsum(lengths) - lengths
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[order])])
    flat = np.repeat(starts[order] - offsets[:-1], lengths[order]) + np.arange(len(fanin))
    renumbered_pairs = np.where(pairing >= 0, new[pairing], -1) if len(new) else pairing
    above_lowest = netlist.compare_threshold.astype(np.int64) - netlist.input.lowest
    owner, bit = netlist.input.features_and_bits(netlist.compare_feature)
    compare = zip(owner.tolist(), bit.tolist(), above_lowest.tolist(), strict=True)
    outputs_flat = np.array([signal_of[f, t] if b < 0 else f * width + b for f, b, t in compare], np.int64)
    return EncoderPlan(
        netlist.input,
        family,
        offsets,
        renumbered[np.array(fanin, np.int64)[flat]],
        np.array(tables, np.uint64)[order],
        np.array(levels, np.int32)[order],
        renumbered_pairs[order].astype(np.int32),
        renumbered[outputs_flat],
    )


def _pair_across(partner: IntArray, sizes: npt.NDArray[np.int64], levels: npt.NDArray[np.int64], k: int) -> None:
    """Pair cells without a partner, of one level and together at most k - 1 inputs: large ones with small ones, then
    small ones with each other."""
    for level in np.unique(levels).tolist():
        free = {
            n: np.flatnonzero((partner < 0) & (levels == level) & (sizes == n)).tolist()[::-1] for n in range(1, k - 1)
        }
        for large in range(k - 2, 0, -1):
            for small in range(min(large, k - 1 - large), 0, -1):
                while free[large] and free[small] and (large != small or len(free[small]) > 1):
                    a, b = free[large].pop(), free[small].pop()
                    partner[a], partner[b] = b, a
