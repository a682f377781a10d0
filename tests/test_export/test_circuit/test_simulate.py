"""The bit-parallel simulator against an obvious interpreter written from the `Netlist` docstring."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from netlists import codes_for, layered_netlist, netlists_with_codes

from difflut.export.circuit import simulate as simulate_module
from difflut.export.circuit.netlist import CodesError, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate, simulate_nets
from difflut.export.errors import ExportError


def interpret(netlist: Netlist, code: list[int]) -> tuple[list[int], list[int], int]:
    """Nets, scores and class of one sample, cell by cell."""
    nets = [0, 1]
    for feature, threshold in zip(netlist.compare_feature, netlist.compare_threshold, strict=True):
        if feature < netlist.input.features:
            nets.append(int(code[feature] >= threshold))
        else:
            of, bit = divmod(int(feature) - netlist.input.features, netlist.input.width_bits)
            nets.append(int(code[of]) % 2 ** (bit + 1) // 2**bit)
    for lut in range(netlist.luts):
        address = 0
        for position, net in enumerate(netlist.fanin(lut)):
            address += nets[net] * 2**position
        nets.append(netlist.table(lut) >> address & 1)
    scores = []
    for first, last in zip(netlist.head.offsets[:-1], netlist.head.offsets[1:], strict=True):
        scores.append(sum(nets[net] for net in netlist.head.nets[first:last]))
    every, word, place = list(scores), 0, 0
    for count in netlist.head.decisions.tolist():
        among, scores_left = scores[:count], scores[count:]
        if count > 1:
            word += among.index(max(among)) << place
            place += (max(netlist.head.decisions.tolist()) - 1).bit_length()
        scores = scores_left
    return nets, every, word


def assert_as_interpreted(netlist: Netlist, codes: np.ndarray) -> None:
    outputs, nets = simulate(netlist, codes), simulate_nets(netlist, codes)
    assert outputs.scores.shape == (len(codes), netlist.head.classes)
    assert outputs.scores.dtype == outputs.classes.dtype == np.int64
    assert nets.shape == (len(codes), netlist.nets)
    assert nets.dtype == np.bool_
    for sample, code in enumerate(codes.tolist()):
        expected_nets, expected_scores, expected_class = interpret(netlist, code)
        assert nets[sample].tolist() == expected_nets
        assert outputs.scores[sample].tolist() == expected_scores
        assert outputs.classes[sample] == expected_class


@given(netlists_with_codes())
@settings(max_examples=200, deadline=None)
def test_agrees_with_the_interpreter(case: tuple[Netlist, np.ndarray]) -> None:
    assert_as_interpreted(*case)


@pytest.mark.parametrize("n", range(1, 9))
def test_every_address_of_every_size(n: int) -> None:
    rng = np.random.default_rng(n)
    builder = NetlistBuilder("all", InputFormat(n, 1))
    bits = builder.add_comparators(np.arange(n), 1)
    tables = rng.random((40, 1 << n)) < 0.5
    out = builder.add_layer(np.tile(bits, (40, 1)), tables)
    netlist = builder.finish(out.reshape(1, -1))
    codes = np.arange(1 << n)[:, None] >> np.arange(n) & 1
    assert np.array_equal(simulate_nets(netlist, codes)[:, out], tables.T)


@pytest.mark.parametrize("samples", [0, 1, 63, 64, 65, 200])
def test_small_blocks_join_seamlessly(monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    netlist = layered_netlist((30, 20), features=5, comparators=12)
    codes = codes_for(netlist, samples)
    whole, nets = simulate(netlist, codes), simulate_nets(netlist, codes)
    monkeypatch.setattr(simulate_module, "VALUE_WORDS", netlist.nets)
    monkeypatch.setattr(simulate_module, "SCRATCH_WORDS", 100)
    assert np.array_equal(simulate(netlist, codes).scores, whole.scores)
    assert np.array_equal(simulate_nets(netlist, codes), nets)
    assert_as_interpreted(netlist, codes)


def test_luts_out_of_layer_order() -> None:
    """Chains that alternate between levels and sizes in the cell order."""
    builder = NetlistBuilder("chains", InputFormat(2, 4))
    a, b = builder.add_comparators([0, 1], [3, 9])
    for depth in range(6):
        a = builder.add_layer([[a, b, 1]], np.array([[0, 1, 1, 0, 1, 0, 0, 1]], bool))[0]
        b = builder.add_layer([[b] * (1 + depth)], np.arange(2 ** (1 + depth))[None] % 3 == 0)[0]
    netlist = builder.finish([[a], [b]])
    assert_as_interpreted(netlist, codes_for(netlist, 70))


def test_ties_go_to_the_lowest_class() -> None:
    builder = NetlistBuilder("ties", InputFormat(3, 1))
    x, y, z = builder.add_comparators([0, 1, 2], 1)
    netlist = builder.finish([[x], [y], [z]])
    codes = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 1]])
    assert simulate(netlist, codes).classes.tolist() == [0, 1, 0, 2, 0]


def test_large_unequal_groups_count_repeated_nets() -> None:
    builder = NetlistBuilder("count", InputFormat(2, 8))
    x, y = builder.add_comparators([0, 1], [1, 2])
    nets = np.array([x] * 1000 + [y] * 25 + [1, 0, x, y])
    netlist = builder.finish(Head(np.array([0, 1000, 1001, 1029]), nets))
    assert simulate(netlist, [[0, 0], [1, 0], [0, 2], [1, 2]]).scores.tolist() == [
        [0, 0, 1], [1000, 0, 2], [0, 1, 26], [1000, 1, 27]
    ]  # fmt: skip


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 17, 31])
def test_comparisons_at_the_ends_of_every_width(width: int, signed: bool) -> None:
    form = InputFormat(1, width, signed)
    thresholds = sorted({form.lowest + 1, form.highest, (form.lowest + form.highest + 1) // 2})
    builder = NetlistBuilder("ends", form)
    netlist = builder.finish(builder.add_comparators(0, thresholds).reshape(1, -1))
    codes = sorted({form.lowest, form.highest, *thresholds, *(threshold - 1 for threshold in thresholds)})
    nets = simulate_nets(netlist, np.array(codes)[:, None])[:, 2:]
    assert nets.tolist() == [[code >= threshold for threshold in thresholds] for code in codes]


def test_memory_layout_and_integer_type_do_not_matter() -> None:
    netlist = layered_netlist((20,), features=6, comparators=9)
    codes = codes_for(netlist, 100)
    expected = simulate(netlist, codes).scores
    big_endian, wide = codes.astype(">i4"), np.repeat(codes, 2, axis=1)
    for variant in (codes.astype(np.uint8), big_endian, np.asfortranarray(codes), wide[:, ::2], codes.tolist()):
        assert np.array_equal(simulate(netlist, variant).scores, expected)


def test_no_samples() -> None:
    netlist = layered_netlist((20,), features=6, comparators=9)
    outputs = simulate(netlist, np.zeros((0, 6), np.uint8))
    assert outputs.scores.shape == (0, 10)
    assert outputs.classes.shape == (0,)
    assert simulate_nets(netlist, np.zeros((0, 6), np.uint8)).shape == (0, netlist.nets)


@pytest.mark.parametrize("run", [simulate, simulate_nets])
@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (
            np.zeros((2, 3)),
            "codes have type float64; expected an integer type: quantise the inputs to integer codes first",
        ),
        (
            np.zeros((2, 4), np.uint8),
            (
                "codes have shape (2, 4); expected (N, 3), one row a sample and one column a feature: reshape or "
                "flatten them"
            ),
        ),
        (
            np.zeros(3, np.uint8),
            (
                "codes have shape (3,); expected (N, 3), one row a sample and one column a feature: reshape or flatten "
                "them"
            ),
        ),
        (
            np.array([[0, 15, 16]]),
            "codes run from 0 to 16; expected 0 to 15 (unsigned, 4 bits): clip or quantise them to the input format",
        ),
        (
            np.array([[0, -1, 7]]),
            "codes run from -1 to 7; expected 0 to 15 (unsigned, 4 bits): clip or quantise them to the input format",
        ),
    ],
)
def test_bad_codes(run: object, codes: np.ndarray, message: str) -> None:
    builder = NetlistBuilder("bad", InputFormat(3, 4))
    netlist = builder.finish(builder.add_comparators([0, 1], [3, 4]).reshape(1, -1))
    with pytest.raises(CodesError, match=f"^{re.escape(message)}$") as caught:
        run(netlist, codes)  # type: ignore[operator]
    assert isinstance(caught.value, ExportError | ValueError)


def test_a_flipped_table_bit_a_swapped_wire_and_a_moved_threshold_show() -> None:
    """Each changed function differs on the exhaustive input, so comparing with `simulate` catches it."""
    builder = NetlistBuilder("mutants", InputFormat(2, 2))
    x, y = builder.add_comparators([0, 1], [2, 1])
    netlist = builder.finish(builder.add_layer([[x, y]], np.array([[0, 1, 0, 0]], bool)).reshape(1, -1))
    codes = np.array([[a, b] for a in range(4) for b in range(4)])
    expected = simulate(netlist, codes).scores
    flipped = netlist.with_(lut_tables=netlist.lut_tables ^ np.uint64(8))
    swapped = netlist.with_(lut_fanin=netlist.lut_fanin[::-1])
    moved = netlist.with_(compare_threshold=netlist.compare_threshold + np.array([1, 0]))
    for mutant in (flipped, swapped, moved):
        assert not np.array_equal(simulate(mutant, codes).scores, expected)
