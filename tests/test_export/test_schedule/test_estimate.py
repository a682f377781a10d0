import json

import numpy as np
import pytest

from difflut.export.circuit.analysis import levels, live_nets
from difflut.export.circuit.netlist import Head, InputFormat, NetlistBuilder
from difflut.export.families.family import find_target
from difflut.export.schedule.estimate import estimate_luts, summarise


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
    assert [(part.layer, part.luts, part.lut6) for part in estimate.layers] == [
        (-1, 1, 1), (1, 2, 2), (2, 3, 6), (3, 3, 12)
    ]  # fmt: skip


def test_head_estimate() -> None:
    builder = NetlistBuilder("head", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    netlist = builder.finish(Head(np.array([0, 7, 8]), np.full(8, x)))
    # 7 bits: a table of 6 bits for each bit of the count, one more bit added to 3; one comparison of 3 bits.
    assert estimate_luts(netlist).head == 3 + 3 + 2
    # A carry chain counts 7 bits with two LUTs.
    assert estimate_luts(netlist, find_target("xc7")).head == 2 + 2


@pytest.mark.parametrize(("fpga", "counter", "argmax"), [("generic", 451, 133), ("xc7", 201, 92), ("ice40", 662, 230)])
def test_head_estimate_is_near_what_yosys_makes_of_ten_groups_of_400(fpga: str, counter: int, argmax: int) -> None:
    builder = NetlistBuilder("head", InputFormat(1, 1))
    x = builder.add_comparators([0], [1])[0]
    estimate = estimate_luts(builder.finish(np.full((10, 400), x)), find_target(fpga)).head
    assert estimate == pytest.approx(10 * counter + argmax, rel=0.0 if fpga == "xc7" else 0.02)


def test_summary_is_json_and_counts_what_is_read() -> None:
    builder = NetlistBuilder("summary", InputFormat(5, 8))
    x, _, z = builder.add_comparators([0, 2, 4], [1, 2, 3])
    a = builder.add_layer([[x, z], [x, z]], np.zeros((2, 4), bool))
    b = builder.add_layer([[a[0], a[0]], [a[0], 1]], np.zeros((2, 4), bool))
    summary = summarise(builder.finish(b.reshape(2, 1)))
    values = summary.to_json()
    assert json.loads(json.dumps(values)) == values
    assert values == {
        "name": "summary",
        "features": 5,
        "features_read": 2,
        "comparators": 3,
        "comparators_read": 2,
        "luts": 4,
        "luts_read": 3,
        "levels": 3,
        "stages": 0,
        "classes": 2,
        "score_width_bits": 1,
        "lut6": {
            "encoder": 6,
            "layers": [{"layer": 1, "luts": 2, "lut6": 2}, {"layer": 2, "luts": 2, "lut6": 2}],
            "head": 1,
            "total": 11,
        },
    }


def test_a_netlist_without_cells() -> None:
    netlist = NetlistBuilder("empty", InputFormat(1, 1)).finish([[0], [1]])
    assert levels(netlist).tolist() == []
    assert live_nets(netlist).tolist() == [True, True]
    assert summarise(netlist).lut6.layers == ()
