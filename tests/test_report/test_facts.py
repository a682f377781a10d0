"""What the report reads from a build: measured, proved, synthesised, missing, stale, damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from convolutions import Plan, Step, made
from report_builds import complete, export, outputs_of, synthesis, verification, write_report
from small_models import Chain, SmallImages, fitted, random_codes

from difflut.check.records import RtlOutputs, keep, kept
from difflut.export.builds import store
from difflut.export.builds.info import Pixels
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import BundleError
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace
from difflut.export.schedule.estimate import LutEstimate, estimate_luts
from difflut.export.schedule.forms import Folded, Streaming
from difflut.export.schedule.head.outputs import parse_outputs
from difflut.input_format import InputFormat
from difflut.inspect.circuits import open_circuit
from difflut.models import BaseModel
from difflut.report import read_facts
from difflut.report.compare import incomparable, numbers
from difflut.report.facts import Facts, readers
from difflut.report.page import checks, draw, logic_of, render


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Build]:
    folder = tmp_path_factory.mktemp("facts") / "net"
    return folder, complete(Chain(), folder)


@pytest.fixture
def copy(built: tuple[Path, Build], tmp_path: Path) -> tuple[Path, Build]:
    shutil.copytree(built[0], tmp_path / "größe")
    return tmp_path / "größe", built[1]


def estimated(build: Build) -> LutEstimate:
    """The estimate of the netlist that a build has."""
    info = build.info
    return estimate_luts(build.circuit.body, find_family(info.fpga), parse_outputs(info.outputs, info.output.classes))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (Chain(), {}),
        (Chain(5, ((9, 7), (8, 8)), 4), {"fpga": "xcup", "outputs": "class", "pipeline": "1,sum1"}),
        (Chain(layers=((1, 1),), classes=1), {"outputs": "scores"}),
        (SmallImages(), {"fpga": "ice40", "outputs": "top-3", "pipeline": "auto"}),
    ],
    ids=["default", "few registers", "one class", "images"],
)
def test_parts_and_stages_add_up(tmp_path: Path, model: BaseModel, options: dict[str, str]) -> None:
    made = export(fitted(model), tmp_path / "net", **options)
    facts, info, estimate = read_facts(tmp_path / "net"), made.info, estimated(made)
    assert facts.luts == estimate.total
    assert (
        sum(part.estimated_luts or 0 for part in facts.parts[-2:] if part.kind in ("group sum", "argmax"))
        == estimate.head
    )
    assert info.timing is not None and info.pipeline is not None
    assert [stage.delay_ns for stage in facts.stages] == [stage.delay_ns for stage in info.timing.stages]
    assert [stage.levels for stage in facts.stages] == [stage.levels for stage in info.timing.stages]
    registered = tuple(stage.levels[-1] for stage in facts.stages if stage.register_bits)
    assert registered == info.pipeline.registers_after
    assert facts.comparisons.sum() == facts.netlist.comparators
    assert np.count_nonzero(facts.comparisons) == info.netlist.features_read


def test_readers_count_every_read(built: tuple[Path, Build]) -> None:
    netlist = read_facts(built[0]).netlist
    expected = np.zeros(netlist.input.features, np.int64)
    for net in [*netlist.lut_fanin.tolist(), *netlist.head.nets.tolist()]:
        if 2 <= net < netlist.first_lut_net:
            expected[netlist.compare_feature[net - 2]] += 1
    assert readers(netlist).tolist() == expected.tolist()
    assert expected.sum() > 0


def test_everything_there(built: tuple[Path, Build]) -> None:
    facts = read_facts(built[0])
    assert facts.missing == ()
    assert facts.rtl is not None and len(facts.rtl.labels) == 60
    assert [item.name for item in facts.syntheses] == ["yosys-ecp5"]
    (found,) = facts.syntheses
    assert found.total is not None and (found.total.luts, found.total.carries) == (20, 3)
    assert (found.fmax_mhz, found.routed, found.tool, found.family) == (200.0, False, "Yosys 0.70", "ecp5")
    assert list(found.parts) == ["encoder", "stage2", "stage10", "group_sum", "argmax", "top"], "from input to output"
    made = checks(facts)
    assert all(check.ok for check in made)
    assert [(check.what, check.outcome) for check in made] == [
        ("netlist against PyTorch", "0 mismatches in 100 samples of made-up samples and 20 random ones"),
        ("RTL against PyTorch, icarus", "0 mismatches in 60 samples of made-up samples and 20 random ones"),
        ("all inputs: RTL, netlist, traced model", "1 of 1 claims proved"),
    ]


def test_parts_whose_names_have_odd_numbers(copy: tuple[Path, Build]) -> None:
    folder, build = copy
    names = ["encoder", "stage²", "stage٣", "stage" + "9" * 190]
    content = synthesis(build)
    write_report(folder, "yosys-ecp5", {**content, "parts": dict.fromkeys(names, content["parts"]["top"])})
    (found,) = read_facts(folder).syntheses
    assert sorted(found.parts) == sorted(names) and next(iter(found.parts)) == "encoder"
    for name in ("x\x1b[2J", "9" * 5000, "\ud800"):
        write_report(folder, "yosys-ecp5", {**content, "parts": {name: content["parts"]["top"]}})
        assert read_facts(folder).syntheses == ()


@pytest.mark.parametrize("field", ["subject", "statement", "verdict", "detail"])
def test_a_proof_without_a_field_is_none(copy: tuple[Path, Build], field: str) -> None:
    folder, build = copy
    claim = {"subject": "s", "statement": "s", "verdict": "proved", "detail": ""}
    del claim[field]
    write_report(folder, "proof", {"digest": build.digest, "date": "2026-01-03", "claims": [claim], "ok": True})
    assert read_facts(folder).proof is None


def test_nothing_there(tmp_path: Path) -> None:
    export(fitted(Chain()), tmp_path / "net")
    facts = read_facts(tmp_path / "net")
    assert facts.rtl is None and facts.proof is None and facts.syntheses == () and checks(facts) == []
    assert [(item.what, item.why, item.command) for item in facts.missing] == [
        (
            "Measurement on the RTL",
            "not done yet",
            f"difflut verify {tmp_path / 'net'} --model small_models:Chain --data DIR",
        ),
        ("Proof for all inputs", "not done yet", f"difflut prove {tmp_path / 'net'}"),
        ("Synthesis", "not done yet", f"difflut synth {tmp_path / 'net'} --flow yosys"),
    ]


def test_results_of_another_build_are_stale(copy: tuple[Path, Build], tmp_path: Path) -> None:
    """The RTL is exported anew with other tables; the work folder of the old build is put beside it."""
    folder, _ = copy
    export(fitted(Chain(), seed=1), tmp_path / "new")
    shutil.copytree(folder / "work", tmp_path / "new" / "work")
    facts = read_facts(tmp_path / "new")
    assert facts.rtl is None and facts.proof is None and facts.syntheses == () and checks(facts) == []
    assert [item.why for item in facts.missing[:2]] == [
        "there is one of another build of 2026-01-02, which is stale",
        "there is one of another build of 2026-01-03, which is stale",
    ]
    assert facts.missing[2].why.startswith("there is one of another build of ")


def test_an_edited_build_is_refused(copy: tuple[Path, Build]) -> None:
    with (copy[0] / "rtl" / "chain.v").open("a") as file:
        file.write("// edited\n")
    with pytest.raises(BundleError, match="differs from what was exported"):
        read_facts(copy[0])


def test_damaged_results_count_as_none(copy: tuple[Path, Build]) -> None:
    folder, _ = copy
    for name in ("verify-icarus/report.json", "proof/report.json", "yosys-ecp5/report.json"):
        (folder / "work" / name).write_text("{", encoding="utf-8")
    facts = read_facts(folder)
    assert len(facts.missing) == 3 and checks(facts) == []
    for name in ("verify-icarus", "proof", "yosys-ecp5"):
        write_report(folder, name, "[1]")
    assert len(read_facts(folder).missing) == 3


def test_outputs_that_cannot_be_read(copy: tuple[Path, Build]) -> None:
    folder, _ = copy
    (folder / "work" / "verify-icarus" / "outputs.npz").write_bytes(b"PK nothing")
    facts = read_facts(folder)
    assert facts.rtl is None and [item.what for item in facts.missing] == ["Measurement on the RTL"]
    assert len(checks(facts)) == 3, "the outcome is still known"


def test_the_run_with_most_labels_is_shown(copy: tuple[Path, Build]) -> None:
    folder, build = copy
    outputs = outputs_of(build, fitted(Chain()))
    few = RtlOutputs(outputs.scores, outputs.classes, None, outputs.labels[:3])
    keep(folder, verification(build, few, simulator="verilator", waves="waves.fst"), few)
    assert [record.folder.name for record in kept(folder)] == ["verify-icarus", "verify-verilator-waves"]
    facts = read_facts(folder)
    assert facts.measured is not None and facts.measured.report["simulator"] == "icarus"


def test_a_failed_check_is_a_failure(copy: tuple[Path, Build]) -> None:
    folder, build = copy
    outputs = outputs_of(build, fitted(Chain()))
    report = verification(build, outputs)
    report["steps"][1]["mismatches"] = 1
    keep(folder, report, outputs)
    assert [check.ok for check in checks(read_facts(folder))] == [True, False, True]
    assert checks(read_facts(folder))[1].outcome.startswith("1 mismatch in 60 samples")


def test_reports_of_other_flows(copy: tuple[Path, Build]) -> None:
    folder, build = copy
    routed = {
        "flow": "nextpnr",
        "status": "done",
        "digest": build.digest,
        "fpga": "ecp5",
        "device": "LFE5U-25F",
        "tools": {"Yosys": "0.70", "nextpnr-ecp5": "0.11"},
        "total": {"luts": 90, "flip_flops": 30, "carries": {}, "muxes": 0},
        "placements": [
            {"utilisation": {"TRELLIS_COMB": {"used": 99, "available": 24288}}},
            {
                "utilisation": {
                    "TRELLIS_COMB": {"used": 100, "available": 24288},
                    "TRELLIS_IO": {"used": 8, "available": 197},
                }
            },
        ],
        "best": 1,
        "mhz": 123.4,
    }
    sites = {"CLB LUTs": {"used": 7, "available": 1000}}
    vivado = {
        **{key: routed[key] for key in ("status", "digest")},
        "flow": "vivado",
        "fpga": "xcup",
        "device": "xcku5p",
        "tools": {"Vivado": "2024.1"},
        "utilisation": {"luts": 7, "flip_flops": 3, "carries": {"CARRY8": 2}, "muxes": 0, "sites": sites},
        "mhz": 400.0,
    }
    write_report(folder, "nextpnr-LFE5U-25F", routed)
    write_report(folder, "vivado-xcku5p", vivado)
    write_report(folder, "vivado-other", {**vivado, "status": "not run", "mhz": None})
    write_report(folder, "other", {"no": "digest"})
    facts = read_facts(folder)
    first, second, third = facts.syntheses
    assert (first.name, first.fmax_mhz, first.routed, first.device) == ("nextpnr-LFE5U-25F", 123.4, True, "LFE5U-25F")
    assert first.tool == "Yosys 0.70, nextpnr-ecp5 0.11" and first.total is not None and first.total.luts == 90
    used = [(used.kind, used.used, used.available) for used in first.used]
    assert used == [("TRELLIS_COMB", 100, 24288), ("TRELLIS_IO", 8, 197)], "of the fastest placement"
    assert [item.kind for item in logic_of(first)] == ["TRELLIS_COMB"]
    assert second.total is not None and (second.total.luts, second.total.carries, second.fmax_mhz) == (7, 2, 400.0)
    assert [item.kind for item in logic_of(second)] == ["CLB LUTs"]
    assert (third.name, third.routed) == ("yosys-ecp5", False)


def test_an_axi_build(tmp_path: Path) -> None:
    made = export(fitted(Chain()), tmp_path / "net", interface="axi-stream")
    facts, info = read_facts(tmp_path / "net"), made.info
    assert facts.luts == estimated(made).total
    by_name = {number.name: number.value for number in numbers(facts)}
    assert info.axi_stream is not None and by_name["cycles a frame"] == info.axi_stream.cycles_per_frame


STREAM = Plan((2, 6, 5), (Step(4, (3, 3), padding=(1, 1)), Step(3, (2, 2), (2, 1))), read=(1, 2), bits=2)


def test_a_streaming_circuit(tmp_path: Path) -> None:
    build = export(made(STREAM), tmp_path / "net", form="streaming")
    facts, info, netlist = read_facts(tmp_path / "net"), build.info, build.circuit
    assert isinstance(info.schedule, Pixels)
    assert [item.made for item in facts.maps] == [
        "the encoded image",
        "3 × 3 windows of map 0, stride 1 × 1, padding 1 × 1",
        "2 × 2 windows of map 1, stride 2 × 1",
    ]
    # Three ways to the same figures: the geometry, the schedule, and each bit by itself.
    assert sum(item.line_buffer_bits for item in facts.maps) == info.schedule.line_buffer_bits == 60
    assert sum(item.kept_bits for item in facts.maps) == info.schedule.collected_bits
    for item, first in zip(facts.maps, netlist.map_offsets, strict=False):
        own = [int(bit - first) for bit in netlist.body_bits if first <= bit < first + item.size.bits]
        kept = np.zeros((item.size.rows, item.size.columns), np.int64)
        for bit in own:
            pixel = bit % item.size.pixels
            kept[pixel // item.size.columns, pixel % item.size.columns] += 1
        assert item.kept.tolist() == kept.tolist()
    assert facts.comparisons.tolist() == np.bincount(netlist.compare_channel, minlength=2).tolist()
    assert [part.name for part in facts.parts[:3]] == ["comparisons", "kernel 1", "kernel 2"]
    assert [part.estimated_luts for part in facts.parts[1:3]] == [layer.kernel.luts for layer in netlist.layers], (
        "small LUTs"
    )
    by_name = {number.name: number.value for number in numbers(facts)}
    interval = info.initiation_interval
    assert by_name["initiation interval"] == interval > STREAM.shape[1] * STREAM.shape[2]
    assert by_name["samples a second at the estimated clock"] == 1e6 * by_name["clock, estimated"] / interval
    assert by_name["first pixel in to result"] == 29 + info.latency_cycles
    assert by_name["LUTs in the netlist"] == netlist.luts
    assert incomparable(facts, facts) == ()


def test_several_pixels_a_cycle(tmp_path: Path) -> None:
    export(made(STREAM), tmp_path / "one", form="streaming")
    build = export(made(STREAM), tmp_path / "net", form=Streaming(5))
    facts, one = read_facts(tmp_path / "net"), read_facts(tmp_path / "one")
    assert isinstance(build.info.schedule, Pixels)
    assert [item.lanes for item in build.info.schedule.maps] == [5, 4]
    assert [part.estimated_luts for part in facts.parts[:3]] == [
        factor * (part.estimated_luts or 0) for factor, part in zip((5, 5, 4), one.parts[:3], strict=True)
    ]
    page = render(facts, draw(facts))
    assert "an image of 30 pixels, 5 at a time" in page and "5 adjacent pixels of a row enter in a cycle" in page


def test_a_folded_circuit(tmp_path: Path) -> None:
    build = export(made(STREAM), tmp_path / "net", form=Folded(nodes_per_cycle=2))
    facts = read_facts(tmp_path / "net")
    assert facts.known.clock is None and facts.stages == ()
    assert [part.name for part in facts.parts] == ["comparisons", "kernel 1", "kernel 2", "argmax"]
    page, folded = render(facts, draw(facts), facts), build.info.folded
    assert folded is not None
    assert f"<td>{folded.program_cycles} cycles</td>" in page and "there is no estimate of the clock" in page
    assert f"{build.info.initiation_interval} cycles an image" in page


def test_every_node_of_a_streaming_circuit_is_there(tmp_path: Path) -> None:
    model = made(STREAM)
    export(model, tmp_path / "net", form="streaming")
    opened = open_circuit(str(tmp_path / "net"))
    assert opened.traced == trace(model)
    codes = random_codes(model, 20, seed=1).reshape(20, -1).numpy()
    build = store.read(tmp_path / "net")
    np.testing.assert_array_equal(simulate(opened.netlist, codes).scores, simulate(build.circuit, codes).scores)


def facts_of(folder: Path, model: BaseModel) -> Facts:
    export(fitted(model), folder)
    return read_facts(folder)


def test_signed_codes(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "net", Chain(input_format=InputFormat(4, True, 2.0)))
    assert facts.netlist.input.lowest == -8
    assert facts.info.input.signed
    assert synthesis(store.read(tmp_path / "net"))["digest"] == facts.digest
