"""Verification: right RTL passes, and every kind of wrong RTL is caught and located."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import Chain, Moves, NarrowChain, Ties, fitted, random_codes
from tools import require_icarus, require_verilator

from difflut.check.verification import VerificationReport, verify
from difflut.data import Split
from difflut.errors import ConfigError, DataError, InputShapeError
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.names import find_node, net_name
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import BundleError
from difflut.export.verilog.netlist import emit
from difflut.models import BaseModel
from difflut.training import predict

MODEL = "small_models:Chain"


def labelled(model: BaseModel, samples: int = 40) -> Split:
    """Random codes; every third label is wrong on purpose, so that accuracies are not all one."""
    codes = random_codes(model, samples, seed=5)
    labels = predict(model, codes).argmax(dim=1)
    labels[::3] = (labels[::3] + 1) % model.num_classes
    return Split(codes, labels)


def check(folder: Path, model: BaseModel, **options: object) -> VerificationReport:
    arguments = {"samples": 30, "simulator": "icarus", "model_class": MODEL, **options}
    return verify(folder, data=labelled(model), data_name="random", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_right_rtl_agrees(tmp_path: Path, simulator: str) -> None:
    require_icarus() if simulator == "icarus" else require_verilator()
    model = fitted(Chain())
    store.write(make_build(model), tmp_path / "net")
    report = check(tmp_path / "net", model, simulator=simulator)
    netlist, rtl = report.steps
    assert report.ok and report.simulator == simulator
    assert (netlist.images, netlist.random, netlist.mismatches) == (40, 100, 0)
    assert (rtl.images, rtl.random, rtl.mismatches) == (30, 100, 0)
    assert rtl.accuracy == report.pytorch_accuracy["RTL"] == pytest.approx(20 / 30)
    assert netlist.accuracy == report.pytorch_accuracy["netlist"] == pytest.approx(26 / 40)
    # The build is still complete and unedited, and can be verified again.
    assert store.read(tmp_path / "net").digest == report.digest


def test_without_a_simulator_only_the_netlist_is_compared(tmp_path: Path) -> None:
    model = fitted(Chain())
    made = make_build(model)
    store.write(made, tmp_path / "net")
    report = check(tmp_path / "net", model, simulator="none")
    assert report.ok and report.simulator == "none" and report.latency_cycles is None
    assert [(step.name, step.images, step.random, step.mismatches) for step in report.steps] == [
        ("netlist", 40, 100, 0)
    ]
    assert report.pytorch_accuracy == {"netlist": pytest.approx(26 / 40)}
    other = fitted(Chain(), seed=1).checkpoint_bytes(frozen=True)
    store.write(Build.of(made.info, {**made.files, "verify/model.safetensors": other}), tmp_path / "other")
    wrong = check(tmp_path / "other", model, simulator="none")
    assert not wrong.ok and wrong.steps[0].mismatches > 0
    with pytest.raises(ConfigError) as caught:
        check(tmp_path / "net", model, simulator="none", waves=True)
    assert str(caught.value) == "waves come from a simulation of the RTL; give a simulator, or no waves"


def test_data_movement_reaches_the_rtl(tmp_path: Path) -> None:
    require_icarus()
    model = fitted(Moves())
    store.write(make_build(model), tmp_path / "moves")
    report = verify(
        tmp_path / "moves",
        data=None,
        data_name="",
        simulator="icarus",
        model_class="small_models:Moves",
    )
    assert report.ok
    assert report.data == "random codes"
    assert [(step.images, step.random, step.accuracy) for step in report.steps] == [(0, 100, None)] * 2


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layers=st.lists(st.tuples(st.integers(1, 10), st.integers(1, 8)), max_size=2),
    classes=st.integers(1, 3),
    group=st.integers(1, 3),
    n=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_random_networks_agree_in_pytorch_simulate_and_rtl(
    tmp_path: Path, layers: list[tuple[int, int]], classes: int, group: int, n: int, seed: int
) -> None:
    require_icarus()

    class Drawn(Chain):
        def __init__(self) -> None:
            super().__init__(4, (*layers, (classes * group, n)), classes)

    import small_models

    small_models.Drawn = Drawn  # type: ignore[attr-defined]
    folder = tmp_path / f"net{abs(hash((tuple(layers), classes, group, n, seed)))}"
    store.write(make_build(fitted(Drawn(), seed)), folder)
    report = verify(folder, data=None, data_name="", simulator="icarus", model_class="small_models:Drawn", seed=seed)
    assert report.ok, report


@pytest.mark.parametrize(
    ("fpga", "outputs", "words"),
    [
        ("xc7", "both", "score and the class"),
        ("xcup", "class", "class"),
        ("generic", "scores", "score"),
        ("generic", "top-3", "rank of the best 3"),
    ],
)
def test_what_a_build_puts_out_is_compared(tmp_path: Path, fpga: str, outputs: str, words: str) -> None:
    require_icarus()
    model = fitted(Chain())
    made = make_build(model, fpga=fpga, outputs=outputs)
    store.write(made, tmp_path / "right")
    assert ("sim/chain_xilinx_models.v" in made.files) == (fpga != "generic")
    report = check(tmp_path / "right", model)
    assert report.ok and report.compared == words
    assert report.steps[1].accuracy == report.pytorch_accuracy["RTL"]

    # The first group counted is that of the last class: no output may hide that.
    name = "rtl/chain_group_sum.v"
    text = made.text(name)
    first, last = (re.search(rf"in_bits\[[0-9:]+\](?=\)[^;]*out_scores\[{bits}\])", text) for bits in HALVES)
    assert first and last
    wrong = text[: first.start()] + last[0] + text[first.end() : last.start()] + first[0] + text[last.end() :]
    store.write(Build.of(made.info, {**made.files, name: wrong.encode()}), tmp_path / "wrong")
    report = check(tmp_path / "wrong", model)
    assert not report.ok and report.steps[1].mismatches > 0


HALVES = ("1:0", "7:6")


def with_rtl_of(netlist: Netlist, build: Build) -> Build:
    """The build with the RTL of another netlist in place of its own."""
    rtl = {f"rtl/{name}": text.encode() for name, text in emit(netlist).files.items()}
    return Build.of(build.info, {**build.files, **rtl})


Mutant = tuple[Netlist, str]  # with the cell that a report must name


def luts_of_layer(netlist: Netlist, layer: int) -> Iterator[tuple[int, str]]:
    """The LUTs of a layer, and their nodes as reports name them; the passes decide which nodes are left."""
    for lut in np.flatnonzero(netlist.lut_layer == layer).tolist():
        yield lut, f"L{layer}.{netlist.lut_node[lut]}"


def flipped_table_bit(netlist: Netlist) -> Iterator[Mutant]:
    for lut, cell in luts_of_layer(netlist, 1):
        tables = netlist.lut_tables.copy()
        tables[netlist.table_offsets[lut]] ^= np.uint64(1 << 2)
        yield netlist.with_(lut_tables=tables), cell


def swapped_connections(netlist: Netlist) -> Iterator[Mutant]:
    for lut, cell in luts_of_layer(netlist, 2):
        fanin = netlist.lut_fanin.copy()
        start = netlist.lut_offsets[lut]
        fanin[start : start + 2] = fanin[start : start + 2][::-1]
        yield netlist.with_(lut_fanin=fanin), cell


def threshold_off_by_one(netlist: Netlist) -> Iterator[Mutant]:
    thresholds = netlist.compare_threshold.copy()
    thresholds[2] += 1
    yield netlist.with_(compare_threshold=thresholds), r"feature \d+ >= \d+"


@pytest.mark.parametrize("mutate", [flipped_table_bit, swapped_connections, threshold_off_by_one])
def test_wrong_rtl_is_caught_and_located(tmp_path: Path, mutate: Callable[[Netlist], Iterator[Mutant]]) -> None:
    """Of the mutants, the first whose scores differ: not every mutation changes the function."""
    require_icarus()
    # Three-bit codes, so that random samples meet every threshold.
    model = fitted(NarrowChain())
    made = make_build(model)
    codes = labelled(model).x.numpy()
    right = simulate(made.circuit.body, codes).scores
    mutant, cell = next(pair for pair in mutate(made.circuit.body) if (simulate(pair[0], codes).scores != right).any())
    store.write(with_rtl_of(mutant, made), tmp_path / "net")
    report = check(tmp_path / "net", model, model_class="small_models:NarrowChain")
    netlist, rtl = report.steps
    assert not report.ok
    assert netlist.mismatches == 0 and rtl.mismatches > 0
    assert re.search(
        rf"^sample \d+: .*expected \d+, got \d+.*; first wrong node: {cell}: expected [01], got [01]",
        rtl.first_mismatch,
    )
    if named := re.search(r"first wrong node: (L[0-9.]+):", rtl.first_mismatch):  # what `difflut show --node` takes
        lut = find_node(made.circuit.body, named[1])
        assert net_name(made.circuit.body, made.circuit.body.first_lut_net + lut) == named[1]


def test_ties_go_to_the_lowest_index_and_a_wrong_tie_break_is_caught(tmp_path: Path) -> None:
    require_icarus()
    model = fitted(Ties())
    classes = predict(model, random_codes(model, 200)).argmax(dim=1)
    assert set(classes.tolist()) <= {0, 2}
    made = make_build(model)
    store.write(made, tmp_path / "right")
    assert check(tmp_path / "right", model, model_class="small_models:Ties").ok

    name = "rtl/chain_argmax.v"
    text = made.text(name)
    # The comparison that decides the index: the later class wins only if strictly larger.
    wrong = re.sub(r" > ", " >= ", text)
    assert wrong != text
    store.write(Build.of(made.info, {**made.files, name: wrong.encode()}), tmp_path / "wrong")
    report = check(tmp_path / "wrong", model, model_class="small_models:Ties")
    rtl = report.steps[1]
    assert not report.ok and rtl.mismatches > 0
    assert "class expected" in rtl.first_mismatch
    assert "so the fault lies in the group sum, the argmax or the control" in rtl.first_mismatch


def test_wrong_netlist_is_caught(tmp_path: Path) -> None:
    require_icarus()
    model, other = fitted(Chain(), seed=0), fitted(Chain(), seed=1)
    made = make_build(model)
    swapped = {**made.files, "verify/model.safetensors": other.checkpoint_bytes(frozen=True)}
    store.write(Build.of(made.info, swapped), tmp_path / "net")
    report = check(tmp_path / "net", other)
    assert not report.ok
    assert all(step.mismatches > 0 for step in report.steps)


def test_edited_build_is_refused_not_verified(tmp_path: Path) -> None:
    model = fitted(Chain())
    store.write(make_build(model), tmp_path / "net")
    with (tmp_path / "net" / "rtl" / "chain.v").open("a") as file:
        file.write("// edited\n")
    with pytest.raises(BundleError, match="differs from what was exported"):
        check(tmp_path / "net", model)


def test_checking_nothing_is_an_error(tmp_path: Path) -> None:
    model = fitted(Chain())
    store.write(make_build(model), tmp_path / "net")
    with pytest.raises(ConfigError, match="samples is 0; at least 1 sample must be checked"):
        check(tmp_path / "net", model, samples=0)
    nothing = Split(torch.zeros(0, 6, dtype=torch.int32), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(DataError, match="the data hold no sample"):
        verify(tmp_path / "net", data=nothing, data_name="nothing", model_class=MODEL)


def test_data_of_another_shape(tmp_path: Path) -> None:
    store.write(make_build(fitted(Chain())), tmp_path / "net")
    images = Split(torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(InputShapeError, match=r"samples of shape \(28, 28\); model 'chain' takes 6 features a sample"):
        verify(tmp_path / "net", data=images, data_name="images", model_class=MODEL)


def test_model_of_ones_own_must_be_named(tmp_path: Path) -> None:
    model = fitted(Chain())
    store.write(make_build(model), tmp_path / "net")
    with pytest.raises(BundleError, match=r"--model module:Class \(it was exported as small_models:Chain\)"):
        check(tmp_path / "net", model, model_class=None)
