"""Synthesis by Yosys: real runs on a small build, and fakes for what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_models import Chain, fitted, random_codes
from tools import require_verilator, require_yosys

from difflut.check.builds import rtl_interface
from difflut.errors import ConfigError, UnknownNameError
from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.errors import BundleError, ToolError
from difflut.export.families.delays import Delays
from difflut.export.families.registry import FAMILIES, find_family
from difflut.export.flows import kept_luts, yosys
from difflut.export.flows.cells import count_parts, count_types, usage
from difflut.export.flows.clock import LongestPath, longest_path
from difflut.sim import run_rtl
from difflut.sim.process import ToolFailure
from difflut.training import predict_scores


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return export_model(fitted(Chain()), tmp_path / "net", pipeline="levels")


def fake_yosys(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: str = "Yosys 0.70") -> Path:
    path = folder / "fake-yosys"
    path.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo "{version}" && exit\n{script}\n', encoding="ascii")
    path.chmod(0o755)
    monkeypatch.setenv(yosys.VARIABLE, str(path))
    return path


@pytest.mark.parametrize("fpga", ["generic", "ice40", "ecp5", "gowin"])
def test_a_build_is_synthesised_for_every_family(build: Path, fpga: str) -> None:
    require_yosys()
    lines: list[str] = []
    report = yosys.synthesise(build, fpga, lines.append)
    digest = store.read(build).digest  # and the build is still a whole one
    folder = build / "work" / f"yosys-{fpga}"
    assert (report.digest, report.fpga, report.command) == (digest, fpga, find_family(fpga).yosys.command)
    assert {"encoder", "stage2", "stage3", "group_sum", "argmax", "top"} == set(report.parts)
    assert report.total.luts > 0 and report.total.flip_flops > 0 and not report.total.others
    assert not any(part.others for part in report.parts.values())
    assert 0 < report.parts["stage2"].flip_flops <= 12 and report.parts["stage3"].flip_flops <= 8
    assert json.loads((folder / "report.json").read_text()) == json.loads(json.dumps(report.to_json()))
    for name in ("parts.log", "flat.log", "flat.v", "flat.json"):
        assert (folder / name).stat().st_size > 0


def test_kept_luts_are_counted_as_they_were_exported(build: Path) -> None:
    require_yosys()
    netlist = store.read(build).circuit.body
    found = yosys.synthesise(build, "generic", keep_luts=True)
    for stage, layer in (("stage2", 1), ("stage3", 2)):
        assert found.parts[stage].luts == int((netlist.lut_layer == layer).sum())
    assert found.counted.startswith("each LUT of the network counts as it was exported")
    assert found.lines() and found.counted in found.text
    report = json.loads((build / "work" / "yosys-generic" / "report.json").read_text())
    assert report["counted"] == found.counted
    mapped = yosys.synthesise(build, "generic")
    assert mapped.counted == "" and mapped.command == "synth -lut 6 -flatten" == found.command


def test_which_designs_keep_their_luts(monkeypatch: pytest.MonkeyPatch, build: Path) -> None:
    ecp5, ice40 = find_family("ecp5"), find_family("ice40")
    most = kept_luts.MOST_MAPPED
    assert [kept_luts.keeps(ecp5, luts) for luts in (most, most + 1)] == [False, True]
    assert kept_luts.keeps(ecp5, 1, True) and not kept_luts.keeps(ecp5, most + 1, False)
    assert not kept_luts.keeps(ice40, most + 1)
    with pytest.raises(ConfigError) as caught:
        yosys.synthesise(build, "ice40", keep_luts=True)
    assert str(caught.value) == "keeping LUTs: Yosys has no map of LUTs of six inputs for ice40; leave it out"
    assert yosys.command(find_family("xcup"), kept=True) == "synth_xilinx -family xcup -flatten -nodsp -nosrl -noiopad"
    assert yosys.command(find_family("xcup")) == "synth_xilinx -family xcup -flatten"
    monkeypatch.setattr(kept_luts, "MOST_MAPPED", 10)
    require_yosys()
    assert yosys.synthesise(build, "ecp5").counted


@pytest.mark.parametrize("fault", [False, True])
def test_the_synthesised_netlist_computes_the_scores(tmp_path: Path, fault: bool) -> None:
    require_yosys()
    require_verilator()
    model = fitted(Chain(features=4, layers=((9, 4), (6, 3)), classes=3))
    build = export_model(model, tmp_path / "net")
    report = yosys.synthesise(build, "ice40")
    netlist = Path(report.folder) / "flat.v"
    if fault:  # one table, inverted
        head, table, tail = netlist.read_text().rpartition(".LUT_INIT(16'h")
        assert table
        netlist.write_text(head + table + f"{0xFFFF ^ int(tail[:4], 16):04x}" + tail[4:])
    cells = tmp_path / "cells.v"
    cells.write_text(ICE40_MODELS)
    codes = random_codes(model, 300)
    scores, classes = predict_scores(model, codes)
    result = run_rtl([netlist, cells], rtl_interface(store.read(build)), codes.numpy(), build_dir=tmp_path / "sim")
    same = np.array_equal(result.scores, scores.numpy()) and np.array_equal(result.classes, classes.numpy())
    assert same != fault


# Enough of iCE40 for a design whose registers have no enable.
ICE40_MODELS = """\
module SB_LUT4 #(parameter [15:0] LUT_INIT = 0) (output O, input I0, input I1, input I2, input I3);
  assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
module SB_CARRY (output CO, input I0, input I1, input CI);
  assign CO = (I0 & I1) | ((I0 | I1) & CI);
endmodule
module SB_DFF (output reg Q, input C, input D);
  always @(posedge C) Q <= D;
endmodule
module SB_DFFSR (output reg Q, input C, input R, input D);
  always @(posedge C) Q <= R ? 1'b0 : D;
endmodule
module SB_DFFSS (output reg Q, input C, input S, input D);
  always @(posedge C) Q <= S ? 1'b1 : D;
endmodule
"""


def test_an_edited_build_and_an_unknown_family_are_refused(build: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        yosys.synthesise(build, "zx81")
    assert str(caught.value) == "unknown FPGA family 'zx81'; known: generic, xc7, xcup, ice40, ecp5, gowin"
    with (build / "rtl" / "chain.v").open("a") as file:
        file.write("// edited\n")
    with pytest.raises(BundleError, match="differs from what was exported"):
        yosys.synthesise(build)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo 'ERROR: no such module'; exit 1", "Yosys failed with exit status 1\n"),
        ("echo all is well", "Yosys ended without an error but did not write parts.json\n"),
        ("echo '{' > parts.json", "Yosys wrote a parts.json that cannot be read (JSONDecodeError"),
        ("""echo '{"modules": {}}' > parts.json""", "Yosys wrote a netlist without the top module chain\n"),
    ],
)
def test_a_failing_yosys(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    folder = build / "work" / "yosys-generic"
    folder.mkdir(parents=True)
    for stale in ("parts.json", "report.json"):  # of an earlier run: must not pass for this one's
        (folder / stale).write_text('{"modules": {"chain": {}}}')
    fake = fake_yosys(tmp_path, monkeypatch, script)
    with pytest.raises(ToolFailure) as caught:
        yosys.synthesise(build)
    assert str(caught.value).startswith(problem)
    assert caught.value.log == folder / "parts.log" and caught.value.command == (str(fake), "-s", "parts.ys")
    assert not (folder / "report.json").exists()


def test_which_yosys_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_yosys(tmp_path, monkeypatch, "", "Yosys 0.61+3 (git)")
    assert yosys.find_yosys() == yosys.Yosys((str(fake), "-s"), (0, 61))
    old = fake_yosys(tmp_path, monkeypatch, "", "Yosys 0.23")
    with pytest.raises(ToolError) as caught:
        yosys.find_yosys()
    assert str(caught.value) == (
        f"{old} is Yosys 0.23; difflut needs 0.60 or newer, which pip install 'difflut[synth]' brings"
    )
    fake_yosys(tmp_path, monkeypatch, "", "what?")
    with pytest.raises(ToolError, match="printed no version: what\\?"):
        yosys.find_yosys()
    monkeypatch.setenv(yosys.VARIABLE, "/no/such/yosys")
    with pytest.raises(ToolError, match=r"^DIFFLUT_YOSYS=/no/such/yosys is not an executable file$"):
        yosys.find_yosys()
    monkeypatch.delenv(yosys.VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(yosys.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^Yosys is missing; install it: pip install 'difflut\[synth\]'$"):
        yosys.find_yosys()


def test_cells_are_counted_by_kind() -> None:
    cells = {"LUT6": 3, "LUT6_2": 2, "INV": 1, "SRL16E": 4, "CARRY8": 2, "MUXF7": 5, "FDRE": 7, "IBUF": 9, "X": 1}
    found = usage({**cells, "$scopeinfo": 4}, find_family("xcup").cells)
    assert found.luts == 10 and found.luts_by_kind == {"INV": 1, "LUT6": 3, "LUT6_2": 2, "SRL16E": 4}
    assert (found.carries, found.muxes, found.flip_flops, found.others) == ({"CARRY8": 2}, 5, 7, {"X": 1})
    assert usage({"CCU2C": 3, "LUT4": 1}, find_family("ecp5").cells).luts == 7  # a carry cell of ECP5 holds two LUTs


def cell(kind: str, inputs: dict[str, list[int | str]], outputs: dict[str, list[int | str]]) -> dict[str, object]:
    directions = {**dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output")}
    return {"type": kind, "connections": {**inputs, **outputs}, "port_directions": directions}


def test_cells_of_instances_count_as_often_as_they_are_instantiated() -> None:
    leaf = {"cells": {"a": {"type": "LUT2"}, "b": {"type": "FDRE"}}}
    middle = {"cells": {"x": {"type": "leaf"}, "y": {"type": "leaf"}, "z": {"type": "LUT6"}}}
    library = {"cells": {"hidden": {"type": "LUT1"}}, "attributes": {"whitebox": "1"}}
    top = {"cells": {"one": {"type": "middle"}, "two": {"type": "leaf"}, "own": {"type": "LUT3"}}}
    modules = {"leaf": leaf, "middle": middle, "top": top, "LUT3": library}
    assert count_types(modules, "top") == {"LUT2": 3, "FDRE": 3, "LUT6": 1, "LUT3": 1}
    assert count_parts(modules, "top") == {
        "one": {"LUT2": 2, "FDRE": 2, "LUT6": 1},
        "two": {"LUT2": 1, "FDRE": 1},
        "top": {"LUT3": 1},
    }


def delay_model(**changes: float) -> Delays:
    """A model whose parts can be told apart in a sum; a wire takes 10 for one reader, 5 for each doubling."""
    figures = {
        "lut_delay_ns": 1.0, "net_delay_ns": 10.0, "fanout_delay_ns": 5.0, "span_delay_ns": 0.0, "mux_delay_ns": 0.1,
        "carry_entry_delay_ns": 200.0, "carry_delay_ns_per_bit": 1000.0, "register_delay_ns": 0.01,
    }  # fmt: skip
    return Delays(source="test", calibrated=False, **{**figures, **changes})


def path_of(fpga: str, cells: dict[str, object], delays: Delays, luts: int = 0) -> LongestPath:
    ports = {"a": {"direction": "input", "bits": [1]}, "y": {"direction": "output", "bits": [31]}}
    return longest_path({"ports": ports, "cells": cells}, delays, find_family(fpga).cells, luts)


def test_the_longest_path_adds_up_what_it_passes() -> None:
    chain = {"S": [21, 22, "0", "0"], "DI": ["0"] * 4, "CI": ["0"]}
    cells = {
        "register": cell("FDRE", {"C": [9], "D": [31]}, {"Q": [11]}),
        "short": cell("LUT2", {"I0": [11], "I1": [1]}, {"O": [22]}),
        "first": cell("LUT1", {"I0": [1]}, {"O": [20]}),
        "second": cell("LUT1", {"I0": [20]}, {"O": [21]}),
        "chain": cell("CARRY4", chain, {"O": [30, 31, 32, 33], "CO": [34, 35, 36, 37]}),
    }
    path = path_of("xc7", cells, delay_model())
    # The wire to the first LUT has two readers; into bit 0, along bits 0 and 1, out, into the register of the slice.
    assert path.delay_ns == pytest.approx((15 + 1) + (10 + 1) + 100 + 2 * 1000 + 100 + 0.01)
    assert path.cells == {"CARRY4": 1, "LUT1": 2}
    # Wires grow with the square root of the LUTs, one between input and first LUT, one between the LUTs
    assert path_of("xc7", cells, delay_model(span_delay_ns=7.0), luts=9).delay_ns == pytest.approx(
        path.delay_ns + 2 * 7 * 3
    )


@pytest.mark.parametrize(
    ("fpga", "cells", "delay"),
    [
        ("generic", {}, 10.01),  # from an input port, as from a register, straight to an output port
        ("ice40", {"lut": cell("SB_LUT4", {"I0": [1]}, {"O": [31]})}, 11.01),
        (  # data from the slice, the select over a wire
            "ecp5",
            {"mux": cell("PFUMX", {"ALUT": [2], "BLUT": ["0"], "C0": [1]}, {"Z": [31]})},
            10.11,
        ),
        ("ecp5", {"mux": cell("PFUMX", {"ALUT": [1], "BLUT": ["0"], "C0": ["0"]}, {"Z": [31]})}, 0.11),
        (  # a wire and a LUT into the chain, two bits, out of it
            "ecp5",
            {
                "low": cell("CCU2C", {"A0": [1], "CIN": ["0"]}, {"COUT": [20]}),
                "high": cell("CCU2C", {"A0": ["0"], "CIN": [20]}, {"S0": [31]}),
            },
            10 + 1 + 100 + 2 * 1000 + 100 + 0.01,
        ),
        (  # iCE40: no LUT in front of the chain; the one behind it is beside it
            "ice40",
            {
                "carry": cell("SB_CARRY", {"I0": [1], "I1": ["0"], "CI": ["0"]}, {"CO": [20]}),
                "sum": cell("SB_LUT4", {"I3": [20]}, {"O": [31]}),
            },
            10 + 100 + 1000 + 100 + 1 + 0.01,
        ),
    ],
)
def test_paths_of_single_cells(fpga: str, cells: dict[str, object], delay: float) -> None:
    if not cells:
        ports = {"a": {"direction": "input", "bits": [1]}, "y": {"direction": "output", "bits": [1]}}
        assert longest_path(
            {"ports": ports, "cells": {}}, delay_model(), find_family(fpga).cells, 0
        ).delay_ns == pytest.approx(delay)
        return
    assert path_of(fpga, cells, delay_model()).delay_ns == pytest.approx(delay)


WIDE = {f"I{number}": [number + 2] for number in range(5)}


@pytest.mark.parametrize(
    ("cells", "outputs", "delay"),
    [
        (  # more inputs than driven nets
            {
                "one": cell("LUT6", {**WIDE, "I5": [20]}, {"O": [31]}),
                "two": cell("LUT1", {"I0": [1]}, {"O": [20]}),
            },
            [31],
            22.01,
        ),
        ({"one": cell("LUT2", {"I0": [1], "I1": [1]}, {"O": [31]})}, [31], 15 + 1.01),  # one net at two pins
        ({}, ["0", "1", "x"], 0.01),  # constants only
        ({}, [], 0.01),
        ({"inverter": cell("INV", {"I": ["1"]}, {"O": [31]})}, [31], 0.01),  # nothing comes in
    ],
)
def test_paths_of_the_smallest_netlists(cells: dict[str, object], outputs: list[int | str], delay: float) -> None:
    ports = {"y": {"direction": "output", "bits": outputs}}
    path = longest_path({"ports": ports, "cells": cells}, delay_model(), find_family("xc7").cells, 0)
    assert path.delay_ns == pytest.approx(delay)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_combinational_loop_of_any_length_is_refused(length: int) -> None:
    """Behind many nets that are none: the size of the netlist says nothing about loops."""
    nets = [*range(40, 40 + length)]
    loop = {f"loop{net}": cell("LUT1", {"I0": [before]}, {"O": [net]})
            for before, net in zip([nets[-1], *nets], nets, strict=False)}  # fmt: skip
    tail = {f"tail{net}": cell("LUT1", {"I0": [net - 1]}, {"O": [net]}) for net in range(51, 70)}
    into = {"into": cell("LUT2", {"I0": [69], "I1": [nets[0]]}, {"O": [31]})}
    with pytest.raises(ToolError, match="the netlist has a combinational loop through the cell 'loop"):
        path_of("xc7", {**tail, **loop, **into}, delay_model())


@pytest.mark.parametrize(
    "fpga", [pytest.param(fpga, marks=() if fpga == "ice40" else pytest.mark.full) for fpga in FAMILIES]
)
def test_a_network_of_one_node_is_synthesised_for_every_family(tmp_path: Path, fpga: str) -> None:
    require_yosys()
    build = export_model(fitted(Chain(2, ((1, 2),), 1, bits=1)), tmp_path / "gate", fpga=fpga)
    report = yosys.synthesise(build)
    assert report.total.luts >= 1 and report.path.delay_ns > find_family(fpga).delays.register_delay_ns


def test_the_clock_of_a_synthesised_build_comes_from_the_familys_delays(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_yosys()
    before = yosys.synthesise(build, "ecp5").path
    slower = replace(find_family("ecp5").delays, lut_delay_ns=find_family("ecp5").delays.lut_delay_ns + 1)
    monkeypatch.setitem(FAMILIES, "ecp5", replace(find_family("ecp5"), delays=slower))
    assert yosys.synthesise(build, "ecp5").path.delay_ns >= before.delay_ns + 1


def test_parts_are_the_modules_that_the_top_instantiates() -> None:
    text = (
        "module top (input a);\n  inner i (\n  );\n  wide #(.W(2)) w (\n  );\n  // other o (\n  wire unused;\n"
        "endmodule\n"
    )
    assert yosys.instantiated(text, ["inner", "other", "top", "unused", "wide", "in"]) == ("inner", "wide")
