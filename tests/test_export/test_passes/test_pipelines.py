from dataclasses import replace

import numpy as np
import pytest
from convolutions import Plan, Step, made
from hypothesis import given, settings
from hypothesis import strategies as st
from netlists import layered_netlist, netlists_with_codes

from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import NetlistError
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace_circuit
from difflut.export.passes.circuit_pass import CircuitPass
from difflut.export.passes.pipelines import DEFAULT, SIMPLIFY, Pass, PipelineError, default, run
from difflut.export.passes.remove_dead import remove_dead


@given(netlists_with_codes(), st.lists(st.sampled_from(DEFAULT), max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_order_of_passes_keeps_the_scores(case: tuple[Netlist, np.ndarray], passes: list[Pass]) -> None:
    netlist, codes = case
    result, reports = run(netlist, passes)
    check(result)
    assert np.array_equal(simulate(result, codes).scores, simulate(netlist, codes).scores)
    assert [report.name for report in reports] == [step.__name__ for step in passes]


def test_the_default_pipeline_and_its_reports() -> None:
    builder = NetlistBuilder("report", InputFormat(2, 8))
    x, y = builder.add_comparators([0, 1], [3, 4])
    z = builder.add_comparators([0], [3])[0]
    out = builder.add_layer([[x, z], [y, y]], np.array([[0, 1, 1, 1], [0, 1, 1, 1]], bool))
    result, reports = run(builder.finish([[out[0]], [x]]))
    assert [
        (r.name, r.comparators_before, r.comparators_after, r.luts_before, r.luts_after) for r in reports
    ] == [
        ("share_comparators", 3, 2, 2, 2),
        ("remove_dead", 2, 1, 2, 1),
        ("fold_constants", 1, 1, 1, 1),
        ("merge_repeated_inputs", 1, 1, 1, 1),
        ("drop_unused_inputs", 1, 1, 1, 1),
        ("bypass_wires", 1, 1, 1, 0),
        ("merge_duplicates", 1, 1, 0, 0),
        ("use_dont_cares", 1, 1, 0, 0),
        *((step.__name__, 1, 1, 0, 0) for step in SIMPLIFY),
        ("remove_dead", 1, 1, 0, 0),
        ("map_luts", 1, 1, 0, 0),
        ("collapse_cones", 1, 1, 0, 0),
        *((step.__name__, 1, 1, 0, 0) for step in SIMPLIFY),
        ("remove_dead", 1, 1, 0, 0),
        ("assign_stages", 1, 1, 0, 0),
    ]  # fmt: skip
    assert all(report.seconds >= 0 for report in reports)
    assert result.head.nets.tolist() == [2, 2]
    assert result.stage.tolist() == [1]


def test_cones_are_collapsed_for_the_luts_of_the_target() -> None:
    builder = NetlistBuilder("cone", InputFormat(5, 8))
    x = builder.add_comparators(range(5), [9] * 5)
    low = builder.add_layer([x[:3]], np.array([[0, 1, 1, 0, 1, 0, 0, 1]], bool))
    netlist = builder.finish([builder.add_layer([[low[0], x[3], x[4]]], np.array([[0, 1, 1, 0, 1, 0, 0, 1]], bool))])
    assert [run(netlist, default(find_family(fpga)))[0].luts for fpga in ("generic", "xcup", "ice40")] == [1, 1, 2]


def test_no_passes() -> None:
    netlist = layered_netlist((10,), features=2, comparators=3)
    assert run(netlist, []) == (netlist, [])


def test_a_raising_pass_is_named_with_those_before_it_and_its_cause() -> None:
    def explode(netlist: Netlist) -> Netlist:
        raise ZeroDivisionError("oh")

    with pytest.raises(PipelineError) as caught:
        run(layered_netlist((10,), features=2, comparators=3), [*DEFAULT[:2], explode])
    assert str(caught.value) == (
        "netlist 'synthetic': the pass explode failed (passes before it: share_comparators, remove_dead): "
        "ZeroDivisionError: oh"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_pass_that_breaks_a_rule_is_named() -> None:
    def shrink(netlist: Netlist) -> Netlist:
        return netlist.with_(stage=netlist.stage[1:])

    with pytest.raises(PipelineError) as caught:
        run(NetlistBuilder("n", InputFormat(1, 1)).finish([[1]]).with_(stage=[]), [lambda n: n.with_(stage=[0])])
    assert str(caught.value) == (
        "netlist 'n': the pass <lambda> failed (passes before it: none): NetlistError: netlist 'n' breaks the rule "
        "array-lengths: stage has shape (1,); expected (0,) for 0 comparators and 0 LUTs"
    )
    with pytest.raises(PipelineError, match=r"the pass shrink failed .* breaks the rule array-lengths"):
        run(layered_netlist((10,), features=2, comparators=3), [shrink])


def test_a_broken_input_is_not_blamed_on_a_pass() -> None:
    netlist = layered_netlist((10,), features=2, comparators=3)
    with pytest.raises(NetlistError, match="breaks the rule fanin-order"):
        run(netlist.with_(lut_fanin=netlist.lut_fanin + 1000))


def image_circuit() -> Circuit:
    return trace_circuit(made(Plan((1, 4, 4), (Step(2, (3, 3), padding=(1, 1)), Step(3, (2, 2))))))


def test_passes_run_on_each_part_and_circuit_passes_on_the_whole_in_between() -> None:
    seen: list[str] = []

    @CircuitPass
    def look(circuit: Circuit) -> Circuit:
        seen.append(circuit.name)
        return circuit

    def part(netlist: Netlist) -> Netlist:
        seen.append(netlist.name)
        return netlist

    circuit = image_circuit()
    result, reports = run(circuit, [part, remove_dead, look, part])
    parts = ["stack_map1", "stack_map2", "stack_dense"]
    assert seen == [*parts, "stack", *parts]
    assert [(report.part, report.name) for report in reports] == [
        *((name, step) for name in parts for step in ("part", "remove_dead")),
        ("stack", "look"),
        *((name, "part") for name in parts),
    ]
    assert reports[6].luts_before == reports[6].luts_after == result.luts
    assert run(circuit.body, [look, part])[0] == circuit.body


def test_a_circuit_pass_that_fails_or_breaks_the_circuit_is_named() -> None:
    @CircuitPass
    def forget(circuit: Circuit) -> Circuit:
        return replace(circuit, layers=())

    with pytest.raises(PipelineError) as caught:
        run(image_circuit(), [remove_dead, forget])
    assert str(caught.value) == (
        "circuit 'stack': the pass forget failed (passes before it: remove_dead, remove_dead, remove_dead): "
        "NetlistError: circuit 'stack' breaks the rule whole-samples: it has an image and 0 layers; expected an image "
        "and layers, or neither"
    )


def test_passes_that_fit_a_part_but_not_the_circuit_are_named() -> None:
    def halve(netlist: Netlist) -> Netlist:
        head = netlist.head
        return netlist.with_(head=Head(head.offsets[:2], head.nets[: head.offsets[1]]))

    with pytest.raises(
        PipelineError, match=r"^the passes remove_dead, halve broke the circuit: circuit 'stack' breaks "
    ):
        run(image_circuit(), [remove_dead, halve])
