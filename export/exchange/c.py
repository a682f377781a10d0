"""A circuit as plain C99 for any processor: one sample at a time, a byte a bit, written again once it was read last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from difflut.export.circuit.netlist import Head, Netlist
from difflut.export.engine.program import COUNT, LOOKUP, OPERANDS_BEHIND, Program, program_of
from difflut.export.schedule.head.outputs import Outputs
from difflut.hdl_templates import render


class _Array(NamedTuple):
    """A constant array of the source."""

    type: str
    name: str
    numbers: list[int]


class _Field(NamedTuple):
    """A decision among the scores `first` to `last` - 1, and its place in the class word."""

    first: int
    last: int
    place: int


def c_files(netlist: Netlist, outputs: Outputs, name: str, header: str) -> tuple[bytes, bytes]:
    """The source and the header, which the source includes under the name `header`.

    Args:
        netlist: what is computed.
        outputs: whether scores, class word or both.
        name: with which the function `NAME_run` and the macros begin.
        header: the header's file name.
    """
    program, form, head = program_of(netlist), netlist.input, netlist.head
    count_type = _unsigned(head.score_width_bits)
    kinds = program.run_kind
    context: dict[str, object] = {
        "name": name,
        "header": header,
        "features": form.features,
        "comparators": netlist.comparators,
        "luts": netlist.luts,
        "scores": head.classes,
        "rows": program.rows - int(program.score_digits.sum()),
        "lowest": form.lowest,
        "highest": form.highest,
        "code_type": _type(8 * program.dtype.itemsize, form.signed),
        "count_type": count_type,
        "score_type": count_type if outputs.scores else None,
        "class_type": _unsigned(head.class_word_bits) if outputs.best else None,
        "fields": _fields(head),
        "field_bits": head.class_width_bits,
        "arrays": _arrays(netlist, program),
        "bits": bool((netlist.compare_feature >= form.features).any()),
        "operand_type": _operand_type(program),
        "runs": len(kinds),
        "pairs": bool((kinds < 16).any()),
        "lookups": bool(((kinds >= 16) & (kinds != COUNT)).any()),
        "count_kind": COUNT,
        "lookup_kind": LOOKUP,
    }
    return render("circuit.c.j2", context).encode("ascii"), render("circuit.h.j2", context).encode("ascii")


def _fields(head: Head) -> list[_Field]:
    ends = np.cumsum(head.decisions).tolist()
    among = [(last - size, last) for last, size in zip(ends, head.decisions.tolist(), strict=True) if size > 1]
    return [_Field(first, last, place * head.class_width_bits) for place, (first, last) in enumerate(among)]


def _arrays(netlist: Netlist, program: Program) -> list[_Array]:
    """All constants; C has no arrays of nothing."""
    operands = _without_rows_of_scores(program)
    feature, bit = netlist.input.features_and_bits(netlist.compare_feature)
    shifts = np.where(bit < 0, 0, bit + 1) if bool((bit >= 0).any()) else bit[:0]
    arrays = [
        _Array(_unsigned(int(feature.max(initial=0)).bit_length()), "compare_feature", []),
        _Array("uint8_t", "compare_bit", []),
        _Array(_type(8 * program.dtype.itemsize, netlist.input.signed), "compare_threshold", []),
        _Array("uint8_t", "run_kind", []),
        _Array(_unsigned(int(program.run_count.max()).bit_length()), "run_count", []),
        _Array(_operand_type(program), "operands", []),
        _Array("uint8_t", "tables", []),
    ]
    given: list[npt.NDArray[np.integer]] = [
        *(feature, shifts, netlist.compare_threshold),
        *(program.run_kind, program.run_count, operands, program.tables),
    ]
    return [array._replace(numbers=some.tolist()) for array, some in zip(arrays, given, strict=True) if len(some)]


def _without_rows_of_scores(program: Program) -> npt.NDArray[np.int32]:
    """The operands, of scores those that are counted alone."""
    kinds, counts = program.run_kind, program.run_count.astype(np.int64)
    lengths = np.where(kinds == COUNT, counts + 1, counts * (1 + np.where(kinds < 16, 2, kinds - LOOKUP)))
    ends = np.cumsum(lengths)
    keep = np.ones(len(program.operands) - OPERANDS_BEHIND, np.bool_)
    keep[(ends - lengths)[kinds == COUNT]] = False
    return program.operands[: len(keep)][keep]


def _operand_type(program: Program) -> str:
    return _unsigned(max(1, program.rows - 1).bit_length())


def _unsigned(bits: int) -> str:
    """The smallest unsigned type of so many bits."""
    return _type(next(width for width in (8, 16, 32, 64) if bits <= width), False)


def _type(bits: int, signed: bool) -> str:
    return f"{'' if signed else 'u'}int{bits}_t"
