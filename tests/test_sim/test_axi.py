"""`run_axi`: right wrappers agree under stalls, misaligned frames and a reset; every broken one is caught."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from axi_builds import FAULTS, MODEL, REGISTERS, SHAPES, axi_build, broken
from tools import require_icarus, require_verilator

from difflut.check.builds import axi_interface
from difflut.check.verification import verify
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.frames import streams_of
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import Outputs, simulate
from difflut.sim import Comparison, ProtocolError, RtlResult, compare, run_axi
from difflut.sim import axi as axi_module
from difflut.sim.axi_vectors import AxiRecording, AxiStimulus

SAMPLES = 24


@cache
def codes() -> npt.NDArray[np.int64]:
    return np.random.default_rng(4).integers(-2048, 2048, (SAMPLES, 6))


def expected(made: Build) -> Outputs:
    return simulate(made.circuit, codes())


def run(made: Build, folder: Path, **options: object) -> tuple[RtlResult, Comparison]:
    require_icarus()
    store.write(made, folder / "net")
    sources = sorted((folder / "net" / "rtl").glob("*.v"))
    arguments = {"simulator": "icarus", "build_dir": folder / "work", **options}
    result = run_axi(sources, axi_interface(made), codes(), **arguments)  # type: ignore[arg-type]
    right = expected(made)
    return result, compare(right.scores, right.classes, result.scores, result.classes)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_right_wrappers_agree(shape: str, seed: int, tmp_path: Path) -> None:
    made = axi_build(shape)
    result, comparison = run(made, tmp_path, seed=seed)
    assert comparison == Comparison(SAMPLES, 0, 0, None)
    assert result.latency_cycles == streams_of(made.info).latency_cycles
    assert (result.scores is None) == (shape == "class") != (result.classes is None)


@pytest.mark.parametrize("registers", REGISTERS)
def test_wrappers_with_fewer_registers_agree(registers: str, tmp_path: Path) -> None:
    made = axi_build(registers)
    result, comparison = run(made, tmp_path)
    assert comparison == Comparison(SAMPLES, 0, 0, None)
    assert result.latency_cycles == streams_of(made.info).latency_cycles


def test_identity_alone_reads_right_and_nothing_else_answers(tmp_path: Path) -> None:
    made = axi_build("identity")
    interface = replace(axi_interface(made), constants={**axi_interface(made).constants, 0x34: 0})
    store.write(made, tmp_path / "net")
    require_icarus()
    with pytest.raises(ProtocolError, match="register 0x34 gives no answer, unknown bits, or an error"):
        run_axi(
            sorted((tmp_path / "net" / "rtl").glob("*.v")),
            interface,
            codes(),
            simulator="icarus",
            build_dir=tmp_path / "work",
        )


CAUGHT = {
    "valid falls": "m_axis_tvalid fell at clock edge",
    "data change": "m_axis_tdata changed at clock edge",
    "padding not zero": "chain: the padding of result 0 is not zero",
    "result one beat short": "chain: ",
    "result kept after a reset": "chain: m_axis_tvalid ",
    "one result too many": "chain: ",
    "frame one beat short": "chain: ",
    "early TLAST ignored": "chain: ",
    "missing TLAST ignored": "chain: ",
    "no resynchronisation": "chain: ",
    "ready stuck": "s_axis_tready was low for",
    "wrong identity": "chain: register 0x00 reads 0x444c5555, expected 0x444c5554",
    "a counter that does not count": "(DROPPED_SHORT) reads 0x00000000, expected 0x0000000",
    "unknown address accepted": "chain: reading an address without register must be answered with SLVERR (2), got 0",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_wrappers_are_caught(fault: str, tmp_path: Path) -> None:
    if fault in CAUGHT:
        with pytest.raises(ProtocolError) as caught:
            run(broken(fault), tmp_path)
        assert CAUGHT[fault] in str(caught.value)
    else:
        _, comparison = run(broken(fault), tmp_path)
        assert comparison.score_mismatches > 0


def recorded(
    made: Build, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: object
) -> tuple[AxiStimulus, AxiRecording]:
    """The stimulus and the recording of a run that is right."""
    kept: list[AxiRecording] = []
    stimuli: list[AxiStimulus] = []
    simulate_ = axi_module.simulate

    def keep(built: object, bench: object, stimulus: AxiStimulus, samples: int) -> AxiRecording:
        stimuli.append(stimulus)
        kept.append(simulate_(built, bench, stimulus, samples))  # type: ignore[arg-type]
        return kept[-1]

    monkeypatch.setattr(axi_module, "simulate", keep)
    run(made, folder, **options)
    return stimuli[0], kept[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_without_stalls_a_frame_goes_in_as_often_as_promised(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = axi_build(shape)
    stimulus, recording = recorded(made, tmp_path, monkeypatch, bubbles=False)
    ends = recording.in_cycles[stimulus.samples[int(stimulus.reset_before) :] >= 0]
    # The first sample runs alone.
    assert set(np.diff(ends[1:]).tolist()) == {streams_of(made.info).cycles_per_frame}


def test_the_stimulus_holds_what_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stimulus, recording = recorded(axi_build("narrow"), tmp_path, monkeypatch)
    assert int(stimulus.short_frames) > 0 and int(stimulus.long_frames) > 0
    assert (stimulus.stalls > 0).any() and not stimulus.last[int(stimulus.reset_before) - 1]
    before = recording.out_cycles < int(recording.reset_cycle)
    assert before.any() and not recording.out_ready[before].any()  # a result waits when the reset comes
    after = recording.out_cycles > int(recording.reset_cycle)
    assert (~recording.out_ready[after]).any() and recording.out_ready[after].any()


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_verify_runs_the_streams(simulator: str, tmp_path: Path) -> None:
    require_icarus() if simulator == "icarus" else require_verilator()
    made = axi_build("class")
    store.write(made, tmp_path / "net")
    report = verify(tmp_path / "net", data=None, data_name="", simulator=simulator, model_class=MODEL)
    assert report.ok and report.build == "chain" and report.compared == "class"
    assert report.latency_cycles == streams_of(made.info).latency_cycles


def test_a_fault_in_the_core_is_located(tmp_path: Path) -> None:
    require_icarus()
    made = axi_build("narrow")
    name = "rtl/chain_core_stage2.v"
    text = made.text(name)
    found = re.search(r"T0 = (\d+)'h([0-9a-f]+);", text)
    assert found is not None
    bits, table = int(found[1]), int(found[2], 16)
    text = text.replace(found[0], f"T0 = {bits}'h{table ^ (1 << bits) - 1:x};")
    store.write(Build.of(made.info, {**made.files, name: text.encode()}), tmp_path / "net")
    report = verify(tmp_path / "net", data=None, data_name="", simulator="icarus", model_class=MODEL)
    assert not report.ok and "first wrong node: " in str(report.steps[-1].first_mismatch)
    store.write(broken("swapped lanes"), tmp_path / "wrapper")
    report = verify(tmp_path / "wrapper", data=None, data_name="", simulator="icarus", model_class=MODEL)
    assert (
        "every comparator and node is right, so the fault lies in the group sum, the argmax, the control or the streams"
        in str(report.steps[-1].first_mismatch)
    )


def test_bad_codes_and_interfaces(tmp_path: Path) -> None:
    require_icarus()
    made = axi_build("narrow")
    interface = axi_interface(made)
    store.write(made, tmp_path / "net")
    sources = sorted((tmp_path / "net" / "rtl").glob("*.v"))
    with pytest.raises(ConfigError, match=r"codes must have the shape \(samples, 6\), got \(3, 7\)"):
        run_axi(sources, interface, np.zeros((3, 7), int), simulator="icarus", build_dir=tmp_path)
    with pytest.raises(ProtocolError, match="reading an address without register must be answered with SLVERR"):
        wrong = replace(interface, counters={})
        run_axi(sources, wrong, codes(), simulator="icarus", build_dir=tmp_path)
