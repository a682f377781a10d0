"""Two runs at once on one build, or with one output: both are right, or one waits or says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from report_builds import export, outputs_of, verification
from rtl_fixture import INTERFACE, reference, sample_codes, write_rtl
from small_models import Chain, fitted
from tools import require_icarus

from difflut.check import records
from difflut.check.verification import verify
from difflut.data import Dataset, Split
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.flows.reports import flow_folder
from difflut.files import scratch, write_atomically
from difflut.sim import cache, compare, run_rtl, runner
from difflut.training import Recipe, train
from difflut.training.place import claimed


def together(*functions: Callable[[], Any]) -> list[Any]:
    """What functions return that run at the same time, or raise."""
    results: list[Any] = [None] * len(functions)

    def call(place: int) -> None:
        try:
            results[place] = functions[place]()
        except BaseException as error:  # noqa: BLE001 (the test judges it)
            results[place] = error

    threads = [threading.Thread(target=call, args=(place,)) for place in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_verifications_with_different_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_icarus()
    store.write(make_build(fitted(Chain())), tmp_path / "net")
    both_have_their_stimulus, real = threading.Barrier(2, timeout=300), runner.run_logged

    def run_logged(command: Any, **options: Any) -> int:
        both_have_their_stimulus.wait()
        status = real(command, **options)
        both_have_their_stimulus.wait()
        return status

    monkeypatch.setattr(runner, "run_logged", run_logged)  # of the simulations, not of the builds

    def run(seed: int) -> Any:
        return verify(
            tmp_path / "net", data=None, data_name="", simulator="icarus", model_class="small_models:Chain", seed=seed
        )

    for report in together(lambda: run(1), lambda: run(2)):
        assert not isinstance(report, BaseException), report
        assert report.ok and report.steps[1].random == 100
    (record,) = records.kept(tmp_path / "net")
    assert record.outputs is not None
    left = sorted(path.name for path in (tmp_path / "net" / "work" / "simulation" / "icarus").iterdir())
    assert not any(name.startswith("difflut-run-") for name in left) and "simulate.log" in left


def test_two_runs_that_compile_the_same_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_icarus()
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    sources, codes = write_rtl(tmp_path / "rtl"), sample_codes(20)
    both_have_compiled, real = threading.Barrier(2, timeout=300), cache.install

    def install(*arguments: Any) -> Path:
        both_have_compiled.wait()
        return real(*arguments)

    monkeypatch.setattr(cache, "install", install)

    def simulate(folder: str) -> Any:
        return run_rtl(sources, INTERFACE, codes, simulator="icarus", build_dir=tmp_path / folder)

    for result in together(lambda: simulate("one"), lambda: simulate("two")):
        assert not isinstance(result, BaseException), result
        assert compare(*reference(codes), result.scores, result.classes).ok
    (kept,) = (tmp_path / "cache" / "simulators").iterdir()
    assert [path.name for path in kept.iterdir()] == ["simulator.vvp"]


def test_a_build_is_read_while_runs_come_and_go(tmp_path: Path) -> None:
    """Temporary folders in the work folder vanish between being listed and being looked into."""
    store.write(make_build(fitted(Chain())), tmp_path / "net")
    (tmp_path / "net" / "work" / "simulation").mkdir(parents=True)
    digest, ended = store.read(tmp_path / "net").digest, threading.Event()

    def run() -> None:
        while not ended.is_set():
            with scratch("run", tmp_path / "net" / "work" / "simulation") as folder:
                (folder / "sub").mkdir()

    def read() -> set[str]:
        try:
            return {store.read(tmp_path / "net").digest for _ in range(50)}
        finally:
            ended.set()

    assert together(run, read) == [None, {digest}]


def test_the_files_of_a_record_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(Chain())
    build = export(model, tmp_path / "net")
    outputs = outputs_of(build, model)
    folder = records.keep(tmp_path / "net", verification(build, outputs), outputs)
    of_first = (folder / "outputs.npz").read_bytes()
    fewer = records.RtlOutputs(None, outputs.classes, None, outputs.labels)

    def cut(path: Path, content: bytes) -> None:
        if path.name == "report.json":
            raise KeyboardInterrupt
        write_atomically(path, content)

    monkeypatch.setattr(records, "write_atomically", cut)
    with pytest.raises(KeyboardInterrupt):
        records.keep(tmp_path / "net", verification(build, fewer), fewer)
    monkeypatch.undo()
    assert (folder / "outputs.npz").read_bytes() != of_first
    assert [record.outputs for record in records.kept(tmp_path / "net")] == [None]
    pairs = [(verification(build, outputs, data="both"), outputs), (verification(build, fewer, data="fewer"), fewer)]
    for _ in range(5):
        together(*[lambda pair=pair: records.keep(tmp_path / "net", *pair) for pair in pairs])  # type: ignore[misc]
        (record,) = records.kept(tmp_path / "net")
        assert record.outputs is not None
        assert (record.outputs.scores is None) == (record.report["data"] == "fewer")


def test_a_flow_keeps_what_the_user_put_into_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "vivado-part"
    with flow_folder(folder, ("*.log",)) as made:
        for name in ("report.json", "run.log", "mine.xdc"):
            (made / name).write_text("x")
        (made / "project.log").mkdir()
    with flow_folder(folder, ("*.log",)):
        assert sorted(path.name for path in folder.iterdir()) == ["mine.xdc", "project.log"]


def test_two_flows_in_one_folder_follow_each_other(tmp_path: Path) -> None:
    inside: list[int] = []

    def run(number: int) -> None:
        with flow_folder(tmp_path / "flow") as folder:
            inside.append(number)
            (folder / "report.json").write_text(json.dumps(number))
            assert [json.loads(path.read_text()) for path in folder.iterdir()] == [number]
            inside.append(number)

    assert together(*[lambda number=number: run(number) for number in range(4)]) == [None] * 4  # type: ignore[misc]
    assert inside[::2] == inside[1::2]


RECIPE = Recipe(epochs=1, batch_size=20, validation=20)


def data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    part = Split(torch.randint(0, 256, (60, 6), generator=generator), torch.arange(60) % 4)
    return Dataset("made up", part, part)


def test_two_trainings_with_one_output(tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    with claimed(out):
        with pytest.raises(ConfigError, match=r"net\.safetensors: another training is writing there; wait for its end"):
            train(Chain, data(), RECIPE, out, progress=False)
        assert not out.exists()
        train(Chain, data(), RECIPE, tmp_path / "other.safetensors", progress=False)
    train(Chain, data(), RECIPE, out, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.safetensors", "other.safetensors"]


def test_outputs_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; give the name of a checkpoint file"):
        train(Chain, data(), RECIPE, tmp_path, progress=False)
    with pytest.raises(ConfigError, match="is no regular file, and a checkpoint is read again; give a file"):
        train(Chain, data(), RECIPE, Path("/dev/null"), progress=False)
    assert not Path("/dev/null").is_file()
