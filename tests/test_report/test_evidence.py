"""The best evidence leads, and every figure says how it is known and on what."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from report_builds import complete, synthesis, write_report
from small_models import Chain, SmallImages, fitted

from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.families.registry import FAMILIES, find_family
from difflut.report import read_facts
from difflut.report.page import draw, render


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Build]:
    folder = tmp_path_factory.mktemp("evidence") / "net"
    return folder, complete(Chain(), folder)


@pytest.fixture
def copy(built: tuple[Path, Build], tmp_path: Path) -> tuple[Path, Build]:
    shutil.copytree(built[0], tmp_path / "net")
    return tmp_path / "net", built[1]


def routed(build: Build) -> dict[str, Any]:
    """A report as `difflut synth --flow nextpnr` writes it."""
    hops = [
        {"kind": "clk-to-q", "delay_ns": 0.5, "source": "core.start", "sink": "core.start", "net": ""},
        {"kind": "routing", "delay_ns": 1.5, "source": "core.start", "sink": "core.lut", "net": "core.wire"},
    ]
    path = {"delay_ns": 5.5, "routing_ns": 1.5, "source": "core.start", "sink": "core.end", "in_core": True}
    clocks = {"clk": {"mhz": 181.0, "asked_mhz": 100.0, "path": {**path, "hops": hops}}}
    placement = {"utilisation": {"TRELLIS_COMB": {"used": 99, "available": 24288}}, "clocks": clocks}
    return {
        "flow": "nextpnr",
        "status": "done",
        "digest": build.digest,
        "fpga": "ecp5",
        "device": "LFE5U-25F",
        "tools": {"nextpnr-ecp5": "0.11"},
        "shell": 1234,
        "total": {"luts": 90, "flip_flops": 30, "carries": {}, "muxes": 0},
        "placements": [placement],
        "best": 0,
        "mhz": 181.0,
    }


def test_a_routed_clock_leads_and_its_path_is_explained(copy: tuple[Path, Build]) -> None:
    folder, build = copy
    write_report(folder, "nextpnr-LFE5U-25F", routed(build))
    facts = read_facts(folder)
    assert [clock.kind for clock in facts.known.clocks] == ["routed", "synthesised", "estimated"]
    shell = "in a shell of 1,234 flip-flops"
    assert [str(clock) for clock in facts.known.clocks[:2]] == [
        f"181.0 MHz (routed: LFE5U-25F by nextpnr-ecp5 0.11; {shell})",
        "200.0 MHz (synthesised: ecp5 by Yosys 0.70, before placement)",
    ]
    assert str(facts.known.size) == f"90 LUT4 (routed: LFE5U-25F by nextpnr-ecp5 0.11; {shell})"
    page = render(facts, draw(facts))
    assert '<p class="answer">181 MHz</p>' in page and "<li>routing 1.50 ns: core.wire to core.lut</li>" in page
    assert "Its slowest path takes 5.50 ns, from core.start to core.end, 1.50 ns of it in wires." in page


def test_synthesis_leads_the_estimate_and_that_of_the_own_family_leads(copy: tuple[Path, Build]) -> None:
    folder, build = copy
    facts = read_facts(folder)
    assert facts.known.clock is not None and facts.known.clock.value == 200.0
    page = render(facts, draw(facts))
    assert '<p class="answer">200 MHz</p>' in page and "What costs where <small>(LUTs, synthesised: ecp5" in page
    own = {
        **synthesis(build),
        "fpga": "generic",
        "counted": "each LUT as <it> is",
        "path": {"delay_ns": 4.0, "cells": {"$lut": 2}, "fmax_mhz": 250.0},
    }
    write_report(folder, "yosys-generic", own)
    facts = read_facts(folder)
    assert facts.known.clock is not None and facts.known.clock.value == 250.0
    page = render(facts, draw(facts))
    assert "Its slowest path takes 4.00 ns, through 2 $lut." in page
    assert "<code>synth_ecp5</code><br>each LUT as &lt;it&gt; is</td>" in page


def test_an_accuracy_says_of_what_and_of_how_many(copy: tuple[Path, Build]) -> None:
    facts = read_facts(copy[0])
    assert [found.words for found in facts.known.accuracies] == [
        "netlist: 75.00 % of 100 samples of made-up samples",
        "RTL: 75.00 % of the first 60 samples of made-up samples",
    ]


def test_an_export_says_what_is_known_of_the_same_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "net"
    asked = ("export", "mnist_bitflip_20", "--fpga", "ecp5", "--out", folder)
    status, out, _ = run(capsys, *asked)
    assert status == 0 and " MHz (estimated: delay model of ecp5)" in out
    assert " LUT4 (estimated: cost model of ecp5)" in out and "LUT6" not in out
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert " LUT4 (estimated: " in readme and "LUT6" not in readme
    described = json.loads(run(capsys, *asked, "--json")[1])
    digest, points = described["digest"], described["pipeline"]["trade_off"]
    for point in points:  # and the build is the last of them
        cycles = f"{point['latency_cycles']:>3} cycle{' ' if point['latency_cycles'] == 1 else 's'}"
        shown = f"{cycles}{point['fmax_mhz']:>8.1f} MHz{point['register_bits']:>9,} FFs\n"
        assert f"  {'*' if point == points[-1] else ' '} {shown}" in out
    assert points[-1]["latency_cycles"] == described["latency_cycles"]
    assert points[-1]["fmax_mhz"] == described["timing"]["fmax_mhz"]
    levels = run(capsys, *asked[:-1], tmp_path / "levels", "--pipeline", "levels")[1]
    assert re.search(r"\n  \* +\d+ cycles .* FFs  not among the best\n", levels)
    report = {**synthesis(make_build(fitted(Chain()))), "digest": digest}
    write_report(folder, "yosys-ecp5", report)
    status, out, _ = run(capsys, *asked)
    assert "about 200.0 MHz (synthesised: ecp5 by Yosys 0.70, before placement)" in out


@pytest.mark.parametrize("fpga", FAMILIES)
def test_luts_are_those_of_the_family(fpga: str) -> None:
    """A function of n inputs is 2^(n-k) LUTs of k inputs; what joins them are multiplexers, or LUTs on iCE40."""
    family = find_family(fpga)
    counts = [family.luts_for(inputs) for inputs in range(1, 9)]
    expected = {6: [1] * 6 + [2, 4], 4: [1] * 4 + [2, 4, 8, 16]}[family.lut_inputs]
    if fpga == "ice40":
        expected = [1] * 4 + [3, 7, 15, 31]
    assert counts == expected


@pytest.mark.parametrize("fpga", ["ecp5", "xcup"])
@pytest.mark.parametrize(("model", "form"), [(Chain, "unrolled"), (SmallImages, "streaming")])
def test_the_wrapper_is_in_the_estimate(fpga: str, model: type[Chain], form: str) -> None:
    made = fitted(model())
    plain = make_build(made, fpga=fpga, outputs="scores", form=form).info.timing
    around = make_build(made, fpga=fpga, interface="axi-stream", form=form).info.timing
    assert plain is not None and around is not None and plain.wrapper == () and around.stages == plain.stages
    slowest = max(*(stage.delay_ns for stage in around.stages), *(path.delay_ns for path in around.wrapper))
    assert around.fmax_mhz == pytest.approx(1e3 / slowest, abs=0.2)
    if model is Chain:  # such a small core is faster than what is around it
        assert around.fmax_mhz < plain.fmax_mhz and around.slowest.startswith("the wrapper: ")


def test_bits_of_a_stream_are_registers_not_an_encoder() -> None:
    """What the body of a stream reads are registers: one wire lies in front of its first LUTs, not two."""
    info = make_build(fitted(SmallImages()), form="streaming", pipeline="1,sum1,argmax1").info
    assert info.timing is not None and "encoder" in info.timing.stages[0].levels
    delays = find_family("generic").delays
    wire = delays.net_ns(1, 0)
    # a register, at least one wire of any length, a LUT
    least = delays.register_delay_ns + wire + delays.lut_delay_ns
    readers = np.log2(64) * delays.fanout_delay_ns + delays.span_delay_ns * np.sqrt(info.estimated_luts)
    assert least < info.timing.stages[0].delay_ns < least + readers < least + wire + readers
