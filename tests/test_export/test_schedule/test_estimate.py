import numpy as np
import pytest

from difflut.export.circuit.analysis import levels, live_nets
from difflut.export.circuit.netlist import Head, InputFormat, NetlistBuilder
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import find_family
from difflut.export.schedule.estimate import estimate_luts, netlist_parts


@pytest.mark.parametrize(
    ("width", "signed", "threshold", "expected"),
    [
        (8, False, 128, 0),  # the uppermost bit is the comparison
        (8, True, 0, 1),  # the inverse of the sign bit
        (8, False, 192, 1),
        (8, False, 4, 1),  # six bits
        (8, False, 2, 2),
        (8, False, 255, 2),
        (8, True, -127, 2),
        (12, False, 1, 3),
    ],
)
def test_encoder_estimate(width: int, signed: bool, threshold: int, expected: int) -> None:
    builder = NetlistBuilder("one", InputFormat(1, width, signed))
    assert estimate_luts(builder.finish([builder.add_comparators([0], [threshold])])).encoder == expected


def test_layer_estimates_count_slices_of_wide_luts_and_invented_luts() -> None:
    builder = NetlistBuilder("wide", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    for n in (6, 7, 8):
        out = builder.add_layer([[x] * n] * 3, np.zeros((3, 1 << n), bool))
    netlist = builder.finish([out])
    estimate = estimate_luts(netlist.with_(lut_layer=[1, 1, -1, 2, 2, 2, 3, 3, 3], lut_node=[0, 1, -1, *range(6)]))
    assert [(part.layer, part.luts, part.estimated_luts) for part in estimate.layers] == [
        (-1, 1, 1), (1, 2, 2), (2, 3, 6), (3, 3, 12)
    ]  # fmt: skip


def test_head_estimate() -> None:
    builder = NetlistBuilder("head", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    netlist = builder.finish(Head(np.array([0, 7, 8]), np.full(8, x)))
    # 7 bits: a table of 6 bits for each bit of the count, one more bit added to 3; one comparison of 3 bits.
    assert estimate_luts(netlist).head == 3 + 3 + 2
    # A carry chain counts 7 bits with two LUTs.
    assert estimate_luts(netlist, find_family("xc7")).head == 2 + 2


@pytest.mark.parametrize(("fpga", "counter", "argmax"), [("generic", 451, 133), ("xc7", 201, 92), ("ice40", 662, 230)])
def test_head_estimate_is_near_what_yosys_makes_of_ten_groups_of_400(fpga: str, counter: int, argmax: int) -> None:
    builder = NetlistBuilder("head", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    estimate = estimate_luts(builder.finish(np.full((10, 400), x)), find_family(fpga)).head
    assert estimate == pytest.approx(10 * counter + argmax, rel=0.0 if fpga == "xc7" else 0.02)


def test_parts_are_in_the_order_of_the_way_through() -> None:
    builder = NetlistBuilder("summary", InputFormat(5, 8))
    x, _, z = builder.add_comparators([0, 2, 4], [1, 2, 3])
    a = builder.add_layer([[x, z], [x, z]], np.zeros((2, 4), bool))
    b = builder.add_layer([[a[0], a[0]], [a[0], 1]], np.zeros((2, 4), bool))
    parts = netlist_parts(builder.finish(b.reshape(2, 1)), GENERIC)
    assert [(part.name, part.kind, part.luts, part.estimated_luts) for part in parts] == [
        ("encoder", "encoder", 0, 6),
        ("layer 1", "layer", 2, 2),
        ("layer 2", "layer", 2, 2),
        ("group sum", "group sum", 0, 0),
        ("argmax", "argmax", 0, 1),
    ]


def test_a_netlist_without_cells() -> None:
    netlist = NetlistBuilder("empty", InputFormat(1, 1)).finish([[0], [1]])
    assert levels(netlist).tolist() == []
    assert live_nets(netlist).tolist() == [True, True]
    assert [part.name for part in netlist_parts(netlist, GENERIC)] == ["encoder", "group sum", "argmax"]
