"""The netlist value, its builder, and packing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import layered_netlist, netlists

from difflut.export import circuit, passes
from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.errors import NetlistError

ARRAYS = [
    "compare_feature",
    "compare_threshold",
    "lut_offsets",
    "lut_fanin",
    "lut_tables",
    "stage",
    "lut_layer",
    "lut_node",
]


def test_importing_the_export_side_leaves_torch_alone() -> None:
    """Every module of the rooms of circuits and passes, and of the frontend what importers of other formats need."""
    rooms = [Path(circuit.__path__[0]), Path(passes.__path__[0])]
    modules = [f"difflut.export.{room.name}.{path.stem}" for room in rooms for path in sorted(room.glob("[a-z]*.py"))]
    modules += [f"difflut.export.frontend.{name}" for name in ("recording", "unrolled", "windowed")]
    assert len(modules) > 20
    code = "".join(f"import {module}\n" for module in modules) + "import sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("form", "lowest", "highest"),
    [
        (InputFormat(1, 8), 0, 255),
        (InputFormat(1, 8, signed=True), -128, 127),
        (InputFormat(1, 1), 0, 1),
        (InputFormat(1, 1, signed=True), -1, 0),
    ],
)
def test_input_range(form: InputFormat, lowest: int, highest: int) -> None:
    assert (form.lowest, form.highest) == (lowest, highest)


@pytest.mark.parametrize(
    ("sizes", "score_bits", "class_bits"),
    [([1], 1, 1), ([1, 1], 1, 1), ([3, 4, 1], 3, 2), ([400] * 10, 9, 4), ([255] * 16, 8, 4), ([256] * 17, 9, 5)],
)
def test_head_widths(sizes: list[int], score_bits: int, class_bits: int) -> None:
    head = Head(np.cumsum([0, *sizes]), np.zeros(sum(sizes), int))
    assert (head.classes, head.score_width_bits, head.class_width_bits) == (len(sizes), score_bits, class_bits)


@given(st.integers(1, 8), st.integers(0, 5), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_packed_tables_read_back(n: int, nodes: int, seed: int) -> None:
    tables = np.random.default_rng(seed).random((nodes, 1 << n)) < 0.5
    builder = NetlistBuilder("tables", InputFormat(1, 1))
    builder.add_layer(np.ones((nodes, n), int), tables)
    netlist = builder.finish([[0]])
    assert netlist.lut_tables.shape == (nodes * max(1, (1 << n) // 64),)
    assert np.array_equal(netlist.tables_of(np.arange(nodes), n), tables)
    for lut in range(nodes):
        assert netlist.table(lut) == sum(1 << address for address in range(1 << n) if tables[lut, address])


def test_comparators_keep_the_given_shape_share_and_fold() -> None:
    builder = NetlistBuilder("compare", InputFormat(3, 4))
    nets = builder.add_comparators([[0], [2]], [5, 0, 16, 5, 15])
    assert nets.dtype == np.int32
    assert nets.tolist() == [[2, 1, 0, 2, 3], [4, 1, 0, 4, 5]]
    netlist = builder.finish([[2]])
    assert netlist.compare_feature.tolist() == [0, 0, 2, 2]
    assert netlist.compare_threshold.tolist() == [5, 15, 5, 15]


def test_signed_comparators_fold_at_their_own_ends() -> None:
    builder = NetlistBuilder("compare", InputFormat(1, 4, signed=True))
    assert builder.add_comparators(0, [-9, -8, -7, 0, 7, 8]).tolist() == [1, 1, 2, 3, 4, 0]


def test_layers_of_different_sizes() -> None:
    builder = NetlistBuilder("sizes", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    assert builder.add_layer([[x, 1, 0]] * 2, np.zeros((2, 8), bool)).tolist() == [3, 4]
    assert builder.add_layer([[4] * 8], np.ones((1, 256), bool)).tolist() == [5]
    netlist = builder.finish([[5, 5]])
    assert netlist.lut_inputs.tolist() == [3, 3, 8]
    assert netlist.table_offsets.tolist() == [0, 1, 2, 6]
    assert netlist.fanin(1).tolist() == [2, 1, 0]
    assert netlist.table(2) == 2**256 - 1
    assert netlist.lut_layer.tolist() == [1, 1, 2]
    assert netlist.lut_node.tolist() == [0, 1, 0]
    assert (netlist.comparators, netlist.luts, netlist.nets, netlist.first_lut_net) == (1, 3, 6, 3)


def test_builder_errors() -> None:
    builder = NetlistBuilder("late", InputFormat(1, 1))
    with pytest.raises(NetlistError) as caught:
        builder.add_layer([[1, 1]], np.zeros((1, 8), bool))
    assert str(caught.value) == "a layer of 1 nodes with 2 inputs needs tables (1, 4), got (1, 8)"
    builder.add_layer([[1]], np.zeros((1, 2), bool))
    with pytest.raises(NetlistError) as caught:
        builder.add_comparators([0], [1])
    assert str(caught.value) == (
        "netlist 'late': comparators were added after a LUT layer; encode all inputs before the first"
    )


@pytest.mark.parametrize("values", [[2**40], [0.5], [-(2**31) - 1]])
def test_values_that_would_change_when_stored_are_refused(values: list[float]) -> None:
    netlist = layered_netlist((10,), features=2, comparators=3)
    with pytest.raises(
        NetlistError, match=r"^lut_fanin: values of type \w+ from .* do not fit int32, which the netlist"
    ):
        netlist.with_(lut_fanin=values)


def test_arrays_are_read_only_and_independent_of_what_they_were_built_from() -> None:
    fanin = np.array([1, 1], np.int32)
    netlist = NetlistBuilder("frozen", InputFormat(1, 1)).finish([[0]]).with_(lut_fanin=fanin, lut_offsets=[0, 2])
    fanin[0] = 0
    assert netlist.lut_fanin.tolist() == [1, 1]
    for field in [*ARRAYS, "lut_inputs", "table_offsets"]:
        assert not getattr(netlist, field).flags.writeable, field
    assert not netlist.head.nets.flags.writeable
    assert not netlist.head.offsets.flags.writeable


def test_a_changed_copy_shares_what_did_not_change() -> None:
    netlist = layered_netlist((10,), features=2, comparators=3)
    copy = netlist.with_(name="copy")
    for field in ARRAYS:
        assert np.shares_memory(getattr(copy, field), getattr(netlist, field)), field


def test_equality_by_value() -> None:
    netlist, same = (layered_netlist((20, 10), features=2, comparators=3) for _ in range(2))
    assert netlist == same
    for field in ARRAYS:
        changed = getattr(netlist, field).copy()
        changed[-1] += 1
        assert netlist != netlist.with_(**{field: changed}), field
    assert netlist != netlist.with_(name="other")
    assert netlist != netlist.with_(input=InputFormat(2, 9))
    assert netlist != netlist.with_(head=Head(netlist.head.offsets, netlist.head.nets[::-1]))
    assert netlist != netlist.with_(head=Head([0, 10], netlist.head.nets))  # type: ignore[arg-type]
    assert netlist != "netlist"
    with pytest.raises(TypeError, match="unhashable"):
        hash(netlist)


@given(netlists())
@settings(max_examples=50, deadline=None)
def test_keeping_all_cells_changes_nothing(netlist: Netlist) -> None:
    assert netlist.keep_cells(np.ones(netlist.comparators + netlist.luts, bool)) == netlist


def test_keep_cells_renumbers_readers_through_the_alias() -> None:
    builder = NetlistBuilder("keep", InputFormat(2, 1))
    x, y = builder.add_comparators([0, 1], [1, 1])
    a, b = builder.add_layer([[x], [y]], np.array([[0, 1], [1, 0]], bool))
    c = builder.add_layer([[a, b, 1]], np.arange(8)[None] == 3)[0]
    netlist = builder.finish([[a, c]])
    alias = np.arange(netlist.nets)
    alias[a] = x  # a is a buffer
    kept = netlist.keep_cells(np.array([True, True, False, True, True]), alias)
    assert kept.lut_fanin.tolist() == [3, 2, 4, 1]
    assert kept.head.nets.tolist() == [2, 5]
    assert [kept.table(lut) for lut in range(2)] == [1, 8]


def test_a_read_only_view_of_changeable_data_is_copied() -> None:
    fanin = np.array([1, 1], np.int32)
    view = fanin[:]
    view.setflags(write=False)
    netlist = NetlistBuilder("view", InputFormat(1, 1)).finish([[0]]).with_(lut_fanin=view, lut_offsets=[0, 2])
    fanin[0] = 0
    assert netlist.lut_fanin.tolist() == [1, 1]
