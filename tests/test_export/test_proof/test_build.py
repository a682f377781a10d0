"""Proofs of whole builds, and mutants that simulation shows to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from small_models import Chain, fitted
from tools import require_prover

from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.families.registry import find_family
from difflut.export.proof.build import prove
from difflut.export.proof.report import ProofReport
from difflut.export.verilog.netlist import emit


def proof_of(made: Build, rtl: dict[str, str] | None, folder: Path) -> ProofReport:
    """The proof of a build, with other RTL if there is any."""
    require_prover()
    files = {f"rtl/{name}": text.encode() for name, text in (rtl or {}).items()}
    store.write(Build.of(made.info, {**made.files, **files}), folder)
    return prove(folder)


@pytest.mark.parametrize("fpga", ["generic", "xcup", "ice40"])
def test_a_build_is_proved(fpga: str, tmp_path: Path) -> None:
    report = proof_of(make_build(fitted(Chain()), fpga=fpga), None, tmp_path / "net")
    assert report.ok, [claim for claim in report.claims if claim.verdict != "proved"]
    assert len(report.claims) > 3


def with_table_bit(netlist: Netlist) -> Iterator[Netlist]:
    for lut in range(netlist.luts):
        tables = netlist.lut_tables.copy()
        tables[netlist.table_offsets[lut]] ^= np.uint64(1)
        yield netlist.with_(lut_tables=tables)


def with_threshold(netlist: Netlist) -> Iterator[Netlist]:
    for comparator in range(netlist.comparators):
        thresholds = netlist.compare_threshold.copy()
        thresholds[comparator] -= 1
        if thresholds[comparator] > netlist.input.lowest:
            yield netlist.with_(compare_threshold=thresholds)


def with_swapped_inputs(netlist: Netlist) -> Iterator[Netlist]:
    for start in netlist.lut_offsets[:-1].tolist():
        fanin = netlist.lut_fanin.copy()
        fanin[start : start + 2] = fanin[start : start + 2][::-1]
        yield netlist.with_(lut_fanin=fanin)


def with_swapped_groups(netlist: Netlist) -> Iterator[Netlist]:
    size = int(netlist.head.offsets[1])
    nets = netlist.head.nets.copy()
    nets[:size], nets[size : 2 * size] = netlist.head.nets[size : 2 * size], netlist.head.nets[:size]
    yield netlist.with_(head=type(netlist.head)(netlist.head.offsets, nets))


def with_a_net_counted_twice(netlist: Netlist) -> Iterator[Netlist]:
    for position in range(len(netlist.head.nets) - 1):
        nets = netlist.head.nets.copy()
        nets[position] = nets[position + 1]
        yield netlist.with_(head=type(netlist.head)(netlist.head.offsets, nets))


@pytest.mark.parametrize(
    "mutate", [with_table_bit, with_threshold, with_swapped_inputs, with_swapped_groups, with_a_net_counted_twice]
)
@pytest.mark.parametrize("fpga", ["generic", "xcup"])
def test_a_wrong_circuit_gives_a_counterexample(
    mutate: Callable[[Netlist], Iterator[Netlist]], fpga: str, tmp_path: Path
) -> None:
    """The RTL of another netlist. `simulate` says that the scores differ; so it does on the counterexample."""
    made = make_build(fitted(Chain()), fpga=fpga)
    form = made.circuit.body.input
    codes = np.random.default_rng(0).integers(form.lowest, form.highest + 1, (2000, form.features))
    right = simulate(made.circuit.body, codes).scores
    mutant = next(other for other in mutate(made.circuit.body) if (simulate(other, codes).scores != right).any())
    report = proof_of(made, emit(mutant, find_family(fpga)).files, tmp_path / "net")
    assert not report.ok
    assert report.counterexample is not None
    found = np.array(report.counterexample.codes).reshape(1, -1)
    assert (simulate(made.circuit.body, found).scores != simulate(mutant, found).scores).any()


def edited(made: Build, suffix: str, old: str, new: str) -> dict[str, str]:
    """The RTL with one place of a file changed."""
    (name,) = [name for name in made.files if name.startswith("rtl/") and name.endswith(suffix)]
    text = made.text(name)
    assert old in text, text
    return {name.removeprefix("rtl/"): text.replace(old, new, 1)}


@pytest.mark.parametrize(
    ("suffix", "old", "new"),
    [
        ("chain.v", "if (rst) valid <= ", "if (!rst) valid <= "),
        ("chain.v", "in_valid};", "!in_valid};"),
    ],
)
def test_wrong_control_is_not_proved(suffix: str, old: str, new: str, tmp_path: Path) -> None:
    made = make_build(fitted(Chain()))
    report = proof_of(made, edited(made, suffix, old, new), tmp_path / "net")
    assert not report.ok
    assert any("valid" in claim.statement and claim.verdict != "proved" for claim in report.claims)
