"""Proofs of passes: proved exactly if the function was kept; wrong results come with an input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netlists import layered_netlist, netlists
from proof_alterations import altered, every_code
from proof_designs import staged_netlist
from tools import require_package

from difflut.export.circuit import tables as tt
from difflut.export.circuit.netlist import CONST0, CONST1, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.passes import pipelines
from difflut.export.passes.collapse_cones import collapse_cones
from difflut.export.passes.rewriter import Rewritten
from difflut.export.passes.use_dont_cares import use_dont_cares
from difflut.export.proof.passes import prove_pass


@pytest.fixture(autouse=True, scope="module")
def sat() -> None:
    require_package("pysat", "prove")


def apart(netlist: Netlist) -> Netlist:
    """Each counted net is a score of its own: sums may agree where nets do not, which a proof of a pass leaves open."""
    nets = netlist.head.nets
    return netlist.with_(head=Head(np.arange(len(nets) + 1), nets, [len(nets)]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_proof_of_a_pass_is_never_wrong(data: st.DataObject) -> None:
    before = data.draw(netlists(max_nodes=4).filter(lambda n: n.input.features * n.input.width_bits <= 12))
    after = data.draw(altered(before))
    codes = every_code(before)
    equal = bool((simulate(before, codes).scores == simulate(after, codes).scores).all())
    outcome = prove_pass(before, after, "altered")
    assert (outcome.claim.verdict == "refuted") == (not equal)
    assert (outcome.counterexample is not None) == (not equal)
    if np.array_equal(simulate(apart(before), codes).scores, simulate(apart(after), codes).scores):
        assert outcome.claim.verdict == "proved"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(netlist=netlists(), fpga=st.sampled_from(sorted(FAMILIES)))
def test_every_pass_of_the_pipeline_is_proved(netlist: Netlist, fpga: str) -> None:
    for step in pipelines.default(find_family(fpga)):
        after = pipelines.result_of(step, netlist).netlist
        assert prove_pass(netlist, after, "step").claim.verdict == "proved"
        netlist = after


def test_order_of_a_features_comparisons_is_known_to_the_proof() -> None:
    """Tables that differ only where a code would be below 2 and at least 4 at once are equal."""
    builder = NetlistBuilder("toy", InputFormat(2, 3))
    low, high, other = builder.add_comparators([0, 0, 1], [2, 4, 3])
    rest = builder.add_layer([[low, other]], np.array([[0, 1, 1, 0]], np.bool_))
    table = np.array([[0, 1, 1, 0, 1, 0, 0, 1]], np.bool_)
    node = builder.add_layer([[low, high, rest[0]]], table)
    before = builder.finish([[node[0]]])
    unreachable = before.lut_tables.copy()
    unreachable[1] ^= np.uint64(1 << 0b010)  # low = 0, high = 1
    reachable = before.lut_tables.copy()
    reachable[1] ^= np.uint64(1 << 0b011)
    assert prove_pass(before, before.with_(lut_tables=unreachable), "order").claim.verdict == "proved"
    wrong = prove_pass(before, before.with_(lut_tables=reachable), "order")
    assert wrong.claim.verdict == "refuted"
    assert wrong.counterexample is not None and wrong.counterexample.lines()[0].startswith("score 0: expected ")


def test_a_difference_that_random_inputs_hardly_reach_is_found() -> None:
    """One code of 2**24 in a layer of conjunctions: SAT finds it, or proves it away where it cannot be."""
    builder = NetlistBuilder("toy", InputFormat(3, 8))
    nets = builder.add_comparators(np.arange(3), [255] * 3)
    lows = builder.add_comparators(np.arange(3), [254] * 3)
    conjunction = np.array([[0] * 7 + [1]], np.bool_)
    last = builder.add_layer([nets.tolist()], conjunction)
    before = builder.finish([[last[0]], [lows[0]]])
    nothing = before.with_(head=Head([0, 1, 2], [CONST0, int(lows[0])]))
    outcome = prove_pass(before, nothing, "constants")
    assert outcome.claim.verdict == "refuted"
    assert outcome.counterexample is not None and outcome.counterexample.codes == [255, 255, 255]


def test_other_sums_of_the_same_nets_stay_open_or_are_refuted() -> None:
    netlist = staged_netlist()
    nets = netlist.head.nets.copy()
    nets[0], nets[22] = nets[22], nets[0]
    outcome = prove_pass(netlist, netlist.with_(head=Head(netlist.head.offsets, nets)), "swap")
    assert outcome.claim.verdict == "refuted"
    one = netlist.with_(head=Head(netlist.head.offsets, np.where(nets == nets[5], CONST1, nets)))
    assert prove_pass(netlist, one, "constant").claim.verdict == "refuted"


def test_other_scores_or_decisions_are_no_proof() -> None:
    a, b = staged_netlist(classes=3), staged_netlist(classes=2)
    apart = a.with_(head=Head(a.head.offsets, a.head.nets, [1, 2]))  # type: ignore[arg-type]
    for other in (b, apart):
        claim = prove_pass(a, other, "shrink").claim
        assert (claim.verdict, claim.detail) == ("not proved", "the inputs, the scores or the decisions differ")


@pytest.mark.parametrize("n", [2, 6, 8])
def test_large_layers(n: int) -> None:
    netlist = layered_netlist((300, 200), n=n, features=40, comparators=90)
    after, _ = pipelines.run(netlist)
    assert prove_pass(netlist, after, "all").claim.verdict == "proved"
    tables = netlist.lut_tables.copy()
    tables[netlist.table_offsets[17]] ^= np.uint64(1)
    wrong = prove_pass(netlist.with_(lut_tables=tables), after, "all")
    assert wrong.claim.verdict == "refuted"
    assert wrong.counterexample is not None
    codes = np.array([wrong.counterexample.codes])
    assert (simulate(netlist, codes).scores != simulate(netlist.with_(lut_tables=tables), codes).scores).any()


def cones() -> Netlist:
    """Two layers of small nodes on thermometers of three bits, each bit of the second layer a score."""
    rng = np.random.default_rng(3)
    builder = NetlistBuilder("cones", InputFormat(4, 2))
    x = builder.add_comparators(np.repeat(np.arange(4), 3), np.tile([1, 2, 3], 4)).reshape(4, 3)
    low = builder.add_layer(np.concatenate([x[:, :2], x[:, 1:]]), rng.random((8, 4)) < 0.5)
    reads = np.stack([rng.permutation(low), rng.permutation(x.reshape(-1))[:8]], axis=1)
    return builder.finish(builder.add_layer(reads, rng.random((8, 4)) < 0.5)[:, None])


@pytest.mark.parametrize(
    ("step", "broken", "mistake"),
    [
        (collapse_cones, "difflut.export.circuit.tables.rearranged", lambda tables, places: tt.swap(tables, 0, 1)),
        (collapse_cones, "difflut.export.circuit.tables.rearranged", lambda tables, places: ~right(tables, places)),
        (use_dont_cares, "difflut.export.passes.use_dont_cares.care_tables", lambda fanin, known: nothing(fanin)),
    ],
    ids=["inputs at wrong places", "an inversion", "addresses that do occur"],
)
def test_a_pass_with_a_mistake_is_refuted(
    step: Callable[[Netlist], Rewritten], broken: str, mistake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cones()
    after = step(before).netlist
    assert after != before and prove_pass(before, after, "right").claim.verdict == "proved"
    monkeypatch.setattr(broken, mistake)
    wrong = step(before).netlist
    codes = every_code(before)
    assert (simulate(before, codes).scores != simulate(wrong, codes).scores).any()
    outcome = prove_pass(before, wrong, "wrong")
    assert outcome.claim.verdict == "refuted" and outcome.counterexample is not None


right = tt.rearranged


def nothing(fanin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Care tables of LUTs of which no address matters."""
    return np.arange(len(fanin)), np.zeros((len(fanin), 1), np.uint64)
