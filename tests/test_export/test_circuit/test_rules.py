"""Each well-formedness rule: one broken netlist and the whole message."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from netlists import layered_netlist, netlists

from difflut.export.circuit.circuit import Circuit, EncodedImage, MapSize, WindowLayer
from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import CIRCUIT_RULES, RULES, check
from difflut.export.errors import NetlistError


def small() -> Netlist:
    """Nets 2 and 3 compare, net 4 reads (2, 3), net 5 reads (4, 1), nets 6 and 7 read (2) and (5)."""
    builder = NetlistBuilder("small", InputFormat(4, 8))
    x, y = builder.add_comparators([0, 3], [128, 17])
    a = builder.add_layer([[x, y]], np.array([[0, 1, 1, 0]], bool))[0]
    b = builder.add_layer([[a, 1]], np.array([[0, 0, 1, 0]], bool))[0]
    out = builder.add_layer([[x], [b]], np.array([[1, 0], [0, 1]], bool))
    return builder.finish(out.reshape(2, 1))


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("input-format", {"input": InputFormat(0, 8)}, "the input has 0 features; expected 1 to 16777216"),
    ("input-format", {"input": InputFormat(1 << 32, 8)}, "the input has 4294967296 features; expected 1 to 16777216"),
    ("input-format", {"input": InputFormat(4, 0)}, "the input codes have 0 bits; expected 1 to 31"),
    ("input-format", {"input": InputFormat(4, 32)}, "the input codes have 32 bits; expected 1 to 31"),
    ("lut-offsets", {"lut_offsets": [0, 2, 4, 4, 6]}, "LUT 2 (net 6) has 0 inputs; expected 1 to 8"),
    ("lut-offsets", {"lut_offsets": [0, 9, 8, 4, 6]}, "LUT 0 (net 4) has 9 inputs; expected 1 to 8 (2 more like it)"),
    ("lut-offsets", {"lut_offsets": [1, 2]}, "lut_offsets has shape (2,) and starts with [1]; expected (L + 1,), 0"),
    ("lut-offsets", {"lut_offsets": []}, "lut_offsets has shape (0,) and starts with []; expected (L + 1,), 0"),
    (
        "array-lengths",
        {"lut_fanin": [2, 3]},
        "lut_fanin has shape (2,); expected (6,) for 2 comparators and 4 LUTs",
    ),
    ("array-lengths", {"lut_tables": [1] * 5}, "lut_tables has shape (5,); expected (4,) for 2 comparators and 4 LUTs"),
    ("array-lengths", {"stage": [0] * 4}, "stage has shape (4,); expected (6,) for 2 comparators and 4 LUTs"),
    ("array-lengths", {"lut_layer": [1]}, "lut_layer has shape (1,); expected (4,) for 2 comparators and 4 LUTs"),
    ("array-lengths", {"lut_node": [1]}, "lut_node has shape (1,); expected (4,) for 2 comparators and 4 LUTs"),
    (
        "array-lengths",
        {"compare_threshold": [1, 2, 3]},
        "compare_threshold has shape (3,); expected (2,) for 2 comparators and 4 LUTs",
    ),
    (
        "compare-feature",
        {"compare_feature": [0, 36]},
        "comparator 1 (net 3) reads feature 36; expected 0 to 3, or up to 35 a bit",
    ),
    (
        "compare-feature",
        {"compare_feature": [-1, 0]},
        "comparator 0 (net 2) reads feature -1; expected 0 to 3, or up to 35 a bit",
    ),
    ("compare-threshold", {"compare_feature": [0, 4]}, "comparator 1 (net 3) compares a bit with 17; expected 1"),
    (
        "compare-threshold",
        {"compare_threshold": [0, 256]},
        (
            "comparator 0 (net 2) has the threshold 0; expected 1 to 255, as any other comparison is a constant "
            "(1 more like it)"
        ),
    ),
    (
        "fanin-order",
        {"lut_fanin": [2, 3, 4, 5, 2, 5]},
        "LUT 1 (net 5) reads net 5 at input 1; expected a net from 0 to 4, as cells are in topological order",
    ),
    (
        "fanin-order",
        {"lut_fanin": [2, -1, 4, 1, 2, 5]},
        "LUT 0 (net 4) reads net -1 at input 1; expected a net from 0 to 3, as cells are in topological order",
    ),
    ("table-padding", {"lut_tables": [6, 4, 1, 6]}, "LUT 3 (net 7) has the table 0x6; expected 2 bits"),
    ("stage-order", {"stage": [0, -1, 0, 0, 0, 0]}, "comparator 1 (net 3) has the stage -1; expected 0 or more"),
    (
        "stage-order",
        {"stage": [1, 1, 2, 1, 1, 2]},
        "LUT 1 (net 5) of stage 1 reads net 4 of stage 2; expected a net of the same or an earlier stage",
    ),
    (
        "origin",
        {"lut_layer": [1, -1, 3, 0]},
        (
            "LUT 1 (net 5) comes from layer -1, node 0; expected a layer from 1 and a node from 0, or -1 for both "
            "(1 more like it)"
        ),
    ),
    (
        "head-groups",
        {"head": Head(np.array([0]), np.array([], int))},
        "head.offsets is [0]; expected 0 first, then one entry a class, at least one class",
    ),
    (
        "head-groups",
        {"head": Head(np.array([0, 2, 2]), np.array([6, 7]))},
        "score 1 counts 0 nets; expected at least 1",
    ),
    (
        "head-groups",
        {"head": Head(np.array([0, 2, 3]), np.array([6, 7]))},
        "head.nets has shape (2,); expected (3,), where the last group ends",
    ),
    (
        "head-nets",
        {"head": Head(np.array([0, 1, 3]), np.array([6, 7, 8]))},
        "score 1 counts net 8; expected 0 to 7",
    ),
    (
        "head-decisions",
        {"head": Head(np.array([0, 1, 3]), np.array([6, 7, 7]), np.array([2, 0]))},
        "head.decisions is [2 0]; expected one or more, each among at least 1 score",
    ),
    (
        "head-decisions",
        {"head": Head(np.array([0, 1, 3]), np.array([6, 7, 7]), np.array([2, 1]))},
        "decisions are taken among 3 scores; expected all 2",
    ),
    (
        "head-decisions",
        {"head": Head(np.arange(129), np.full(128, 7), np.full(64, 2))},
        "64 decisions give a class word of 64 bits; expected at most 63",
    ),
]


@pytest.mark.parametrize(("rule", "changes", "message"), BROKEN)
def test_broken(rule: str, changes: dict[str, Any], message: str) -> None:
    check(small())
    with pytest.raises(NetlistError) as caught:
        check(small().with_(**changes))
    assert str(caught.value) == f"netlist 'small' breaks the rule {rule}: {message}"


def test_every_rule_has_a_broken_netlist() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


@given(netlists())
@settings(max_examples=50, deadline=None)
def test_generated_netlists_are_well_formed(netlist: Netlist) -> None:
    check(netlist)
    check(layered_netlist((20, 10), features=3, comparators=5))


def test_the_last_stage_may_be_shared_and_constants_belong_to_every_stage() -> None:
    check(small().with_(stage=[0, 0, 0, 7, 0, 7]))


def of_images() -> Circuit:
    """A kernel of two channels, its first bit and the image's last are counted."""
    builder = NetlistBuilder("pair", InputFormat(2, 1))
    nets = builder.add_comparators([0, 1], 1)
    kernel = builder.finish(nets[:, None])
    builder = NetlistBuilder("rest", InputFormat(2, 1))
    body = builder.finish(builder.add_comparators([[0], [1]], 1))
    image = EncodedImage(MapSize(1, 2, 3), np.zeros(1, np.int32), np.ones(1, np.int32))
    layer = WindowLayer(0, kernel, (1, 2), (1, 1), (0, 0))
    return Circuit("image", InputFormat(6, 4), image, (layer,), body, np.array([5, 6]))


def image(**changes: Any) -> dict[str, Any]:
    return {"image": replace(of_images().image, **changes)}


def layer(**changes: Any) -> dict[str, Any]:
    return {"layers": (replace(of_images().layers[0], **changes),)}


BROKEN_CIRCUITS: list[tuple[str, dict[str, Any], str]] = [
    ("whole-samples", {"image": None}, "it has no image and 1 layers; expected an image and layers, or neither"),
    ("whole-samples", {"layers": ()}, "it has an image and 0 layers; expected an image and layers, or neither"),
    (
        "whole-samples",
        {"layers": (), "image": None},
        (
            "it has no layers, 2 body bits and the input InputFormat(features=6, width_bits=4, signed=False); "
            "expected no body bits, and the name and the input of its body, 'rest' and InputFormat(features=2, "
            "width_bits=1, signed=False)"
        ),
    ),
    ("image", {"input": InputFormat(7, 4)}, "the input has 7 features; expected (1, 2, 3), colours, rows, columns"),
    ("image", image(compare_threshold=[1, 2]), "(1,) channels and (2,) thresholds; expected one each, at least 1"),
    ("image", image(compare_channel=[5]), "comparisons read colours 5 to 5; expected 0 to 0, or up to 4 a bit"),
    (
        "image",
        image(compare_channel=[1], compare_threshold=[2]),
        "bits of colours are compared with other numbers than 1; expected 1",
    ),
    ("layers", layer(source=1), "layer 1 reads map 1; expected 0 to 0"),
    ("layers", layer(source=-1), "layer 1 reads map -1; expected 0 to 0"),
    (
        "layers",
        layer(stride=(0, 1)),
        "layer 1 has the window (1, 2), stride (0, 1) and padding (0, 0); expected at least 1, 1 and 0",
    ),
    (
        "layers",
        layer(window=(1, 3)),
        (
            "the kernel of layer 1 has the input InputFormat(features=2, width_bits=1, signed=False); expected "
            "InputFormat(features=3, width_bits=1, signed=False)"
        ),
    ),
    (
        "layers",
        layer(kernel=of_images().layers[0].kernel.with_(head=Head(np.array([0, 2]), np.array([2, 3])))),
        "the kernel of layer 1 has a score of several nets; expected one net each",
    ),
    (
        "layers",
        image(size=MapSize(1, 6, 1)),
        "layer 1 has no position on a map of 6 x 1 pixels",
    ),
    (
        "body",
        {"body_bits": np.array([5, 6, 7])},
        (
            "the body has the input InputFormat(features=2, width_bits=1, signed=False); expected "
            "InputFormat(features=3, width_bits=1, signed=False)"
        ),
    ),
    ("body", {"body_bits": np.array([6, 5])}, "body_bits runs from 6 to 5; expected numbers from 0 to 13, ascending"),
    ("body", {"body_bits": np.array([5, 14])}, "body_bits runs from 5 to 14; expected numbers from 0 to 13, ascending"),
]


@pytest.mark.parametrize(("rule", "changes", "message"), BROKEN_CIRCUITS)
def test_broken_circuit(rule: str, changes: dict[str, Any], message: str) -> None:
    check(of_images())
    with pytest.raises(NetlistError) as caught:
        check(replace(of_images(), **changes))
    assert str(caught.value) == f"circuit 'image' breaks the rule {rule}: {message}"


def test_every_rule_has_a_broken_circuit() -> None:
    assert {rule for rule, _, _ in BROKEN_CIRCUITS} == set(CIRCUIT_RULES)


def test_a_broken_part_is_named() -> None:
    kernel = of_images().layers[0].kernel.with_(stage=[-1, 0])
    with pytest.raises(NetlistError, match=r"^netlist 'pair' breaks the rule stage-order"):
        check(replace(of_images(), **layer(kernel=kernel)))


def test_parts_and_their_replacement() -> None:
    circuit, whole = of_images(), Circuit.of(small())
    check(whole)
    assert [(name, part.name) for name, part in circuit.parts()] == [("kernel 1", "pair"), ("body", "rest")]
    assert [(name, part.name) for name, part in whole.parts()] == [("body", "small")]
    for one in (circuit, whole):
        assert one.map_parts(lambda _, part: part) == one
        staged = one.map_parts(lambda name, part: part.with_(stage=part.stage + (name == "body")))
        assert staged != one and staged.body.last_stage == 1 and staged.layers == one.layers
    assert (whole.luts, whole.maps, whole.collected, whole.map_offsets.tolist()) == (4, (), (), [0])
    with pytest.raises(NetlistError, match="circuit 'small' takes whole samples; expected one of images"):
        _ = whole.size
