"""The long tests of `make test-full`: the shipped model's RTL with one wrong bit, and many random networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from netlists import codes_for, netlists
from tools import require_verilator

import difflut
from difflut.check.verification import verify
from difflut.data import mnist_test
from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.simulate import simulate
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.verilog.netlist import emit
from difflut.models import zoo
from difflut.sim import RtlInterface, compare, run_rtl

pytestmark = pytest.mark.full


@pytest.mark.parametrize("name", ["mnist_fc_8k_dwn", "mnist_fc_8k_linear"])
def test_one_flipped_table_bit_among_half_a_million_is_found(tmp_path: Path, name: str) -> None:
    require_verilator()
    made = make_build(difflut.get_model(name, pretrained=True), pipeline="levels")  # as `emit` places registers
    images = mnist_test()
    netlist = made.circuit.body
    right = simulate(netlist, images.x.reshape(-1, 784).numpy())
    rng = np.random.default_rng(0)
    for lut in rng.permutation(netlist.luts).tolist():
        tables = netlist.lut_tables.copy()
        tables[netlist.table_offsets[lut]] ^= np.uint64(1 << int(rng.integers(64)))
        mutant = netlist.with_(lut_tables=tables)
        wrong = simulate(mutant, images.x.reshape(-1, 784).numpy())
        if (right.scores != wrong.scores).any():
            break
    rtl = {f"rtl/{file}": text.encode() for file, text in emit(mutant).files.items()}
    store.write(Build.of(made.info, {**made.files, **rtl}), tmp_path / "net")
    report = verify(tmp_path / "net", data=images, data_name="MNIST", samples=10000)
    cell = f"L{netlist.lut_layer[lut]}.{netlist.lut_node[lut]}: expected"
    assert not report.ok
    assert cell in report.steps[1].first_mismatch


@pytest.mark.parametrize("name", [name for name, entry in zoo().items() if entry.dataset == "mnist"])
def test_every_mnist_model_of_the_zoo_on_all_test_images(tmp_path: Path, name: str) -> None:
    require_verilator()
    export_model(difflut.get_model(name, pretrained=True), tmp_path / "net")
    report = verify(tmp_path / "net", data=mnist_test(), data_name="MNIST", samples=10_000)
    assert report.ok
    assert [step.images for step in report.steps] == [10_000, 10_000]


@settings(max_examples=8, deadline=None)
@given(netlist=netlists())
def test_random_netlists_under_verilator(tmp_path_factory: pytest.TempPathFactory, netlist: Netlist) -> None:
    require_verilator()
    staged = assign_stages(netlist.with_(name="drawn"))
    design = emit(staged)
    folder = tmp_path_factory.mktemp("drawn")
    sources = []
    for name, text in design.files.items():
        (folder / name).write_text(text)
        sources.append(folder / name)
    head, form = staged.head, staged.input
    interface = RtlInterface(
        design.top,
        form.features,
        form.width_bits,
        head.classes,
        head.score_width_bits,
        head.class_word_bits,
        design.latency_cycles,
    )
    codes = codes_for(staged, 200)
    result = run_rtl(sources, interface, codes, build_dir=folder / "sim")
    expected = simulate(staged, codes)
    assert compare(expected.scores, expected.classes, result.scores, result.classes).ok
