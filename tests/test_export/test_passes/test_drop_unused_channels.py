"""A pass over the whole circuit: what no part needs of another goes, and no score changes."""

from dataclasses import replace

import numpy as np
import pytest
from convolutions import Plan, Step, made, plans
from hypothesis import given, settings
from small_models import random_codes
from tools import require_prover

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import Head
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.circuit.unroll import unroll
from difflut.export.frontend.trace import trace_circuit
from difflut.export.passes.drop_unused_channels import drop_unused_channels
from difflut.export.passes.pipelines import DEFAULT, run
from difflut.export.proof.passes import prove_pass

THREE = Plan((1, 5, 5), (Step(4, (2, 2), n=2), Step(3, (3, 3), n=3), Step(0, (2, 2))), bits=2, read=(1, 3), seed=4)


def blinded(circuit: Circuit, kept: int) -> Circuit:
    """The circuit whose body counts constants in place of all nets but the first `kept`."""
    head = circuit.body.head
    nets = np.where(np.arange(len(head.nets)) < kept, head.nets, 0)
    return replace(circuit, body=circuit.body.with_(head=Head(head.offsets, nets)))


@settings(max_examples=15, deadline=None)
@given(plan=plans())
def test_scores_stay_for_random_networks(plan: Plan) -> None:
    model = made(plan)
    codes = random_codes(model, 40, seed=1).reshape(40, -1).numpy()
    for kept in (0, 1, 99):
        circuit = blinded(trace_circuit(model), kept)
        dropped = drop_unused_channels(circuit)
        check(dropped)
        np.testing.assert_array_equal(simulate(dropped, codes).scores, simulate(circuit, codes).scores)
        np.testing.assert_array_equal(simulate(unroll(dropped), codes).scores, simulate(circuit, codes).scores)
        assert drop_unused_channels(dropped) == dropped


@pytest.mark.parametrize("kept", [1, 99])
def test_proved_for_all_images(kept: int) -> None:
    require_prover()
    circuit = blinded(trace_circuit(made(THREE)), kept)
    dropped, _ = run(circuit, [*DEFAULT, drop_unused_channels, *DEFAULT])
    outcome = prove_pass(unroll(circuit), unroll(dropped), "drop_unused_channels")
    assert outcome.claim.verdict == "proved", outcome.claim


def test_what_is_dropped() -> None:
    """With one bit that counts, the body reads some bits, each map has the channels that lead there, no other LUT
    stays.
    """
    circuit = blinded(trace_circuit(made(THREE)), 1)
    dropped = drop_unused_channels(circuit)
    assert dropped.body.luts == 1 and len(dropped.body_bits) <= 3
    assert dropped.body.input.features == dropped.body.comparators == len(dropped.body_bits)
    sizes = list(zip(dropped.maps, circuit.maps, strict=True))
    assert all(small.channels <= large.channels for small, large in sizes) and dropped.luts < circuit.luts
    assert any(small.channels < large.channels for small, large in sizes)


def test_nothing_that_counts_leaves_one_bit_and_what_makes_it() -> None:
    dropped = drop_unused_channels(blinded(trace_circuit(made(replace(THREE, read=(3,)))), 0))
    assert [size.channels for size in dropped.maps[2:]] == [1, 1]
    assert (len(dropped.body_bits), dropped.body.luts, dropped.body.comparators) == (1, 0, 0)


def test_a_circuit_of_whole_samples_stays() -> None:
    netlist = unroll(trace_circuit(made(THREE)))
    assert drop_unused_channels(Circuit.of(netlist)) == Circuit.of(netlist)
    assert run(netlist, [drop_unused_channels])[0] == netlist
