import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import codes_for, netlists_with_codes
from rewrites import equal_after

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.passes.fold_constants import fold_constants
from difflut.export.passes.use_dont_cares import use_dont_cares

CODES = np.arange(16)[:, None]


def thermometer(table: int, inputs: int = 3) -> Netlist:
    """One LUT on x >= 4, x >= 8, x >= 12."""
    builder = NetlistBuilder("thermometer", InputFormat(1, 4))
    bits = builder.add_comparators([0] * inputs, [4, 8, 12][:inputs])
    lut = builder.add_layer([bits], np.array([[table >> a & 1 for a in range(1 << inputs)]], bool))
    return builder.finish([lut])


@given(netlists_with_codes())
@settings(max_examples=15, deadline=None)
def test_keeps_scores_and_nets(case: tuple[Netlist, np.ndarray]) -> None:
    equal_after(use_dont_cares, *case, settles=False)


@st.composite
def encoders(draw: st.DrawFn) -> Netlist:
    """Thermometers of up to two features, recoded by LUTs of one feature, read by LUTs of any mixture."""
    form = InputFormat(2, draw(st.integers(2, 5)), draw(st.booleans()))
    builder = NetlistBuilder("recoded", form)
    features = draw(st.lists(st.integers(0, 1), min_size=2, max_size=8))
    thresholds = [draw(st.integers(form.lowest + 1, form.highest)) for _ in features]
    nets = builder.add_comparators(features, thresholds).tolist()
    for of_model in (False, True, True):
        n = draw(st.integers(1, 7))
        fanin = draw(st.lists(st.lists(st.sampled_from(nets), min_size=n, max_size=n), min_size=1, max_size=4))
        tables = [[bool(draw(st.integers(0, 1))) for _ in range(1 << n)] for _ in fanin]
        nets += builder.add_layer(fanin, np.array(tables), of_model=of_model).tolist()
    return builder.finish([nets])


@given(encoders())
@settings(max_examples=30, deadline=None)
def test_keeps_the_scores_of_recoded_features_for_all_codes(netlist: Netlist) -> None:
    equal_after(use_dont_cares, netlist, codes_for(netlist, 20), settles=False)


def test_and_of_a_thermometer_is_its_highest_bit() -> None:
    result = equal_after(use_dont_cares, thermometer(0b1000_0000), CODES)
    assert result.lut_fanin.tolist() == [4]
    assert result.table(0) == 0b10


def test_a_table_of_impossible_addresses_only_is_constant() -> None:
    # x >= 8 without x >= 4, and x >= 12 without one of the others
    result = equal_after(use_dont_cares, thermometer(0b0111_0100), CODES)
    assert fold_constants(result).netlist.head.nets.tolist() == [0]


def test_leaves_what_needs_all_inputs_alone() -> None:
    # The parity changes at every step of the code, so it needs all three bits.
    netlist = thermometer(0b1001_0110)
    assert use_dont_cares(netlist).netlist is netlist


def test_bits_of_different_features_are_free() -> None:
    builder = NetlistBuilder("two", InputFormat(2, 4))
    bits = builder.add_comparators([0, 1], [4, 8])
    netlist = builder.finish([builder.add_layer([bits], np.array([[0, 0, 0, 1]], bool))])
    assert use_dont_cares(netlist).netlist is netlist


def test_one_hot_bits_exclude_each_other() -> None:
    builder = NetlistBuilder("one-hot", InputFormat(1, 4))
    bits = builder.add_comparators([0, 0], [4, 8])
    below = builder.add_layer([[bits[0]]], np.array([[1, 0]], bool), of_model=False)[0]
    between = builder.add_layer([bits], np.array([[0, 1, 0, 0]], bool), of_model=False)[0]
    both = builder.add_layer([[below, between]], np.array([[0, 0, 0, 1]], bool))
    result = equal_after(use_dont_cares, builder.finish([both]), CODES)
    assert fold_constants(result).netlist.head.nets.tolist() == [0]
