"""Searches of a few tiny candidates: what they end with, how they go on, what they refuse."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from tools import require_package

import difflut
from difflut.data import Dataset, Split, load_npz
from difflut.errors import ConfigError, DataError
from difflut.models import load_model
from difflut.searching import Budget, Candidate, SearchResult, search
from difflut.searching import run as run_module
from difflut.searching.candidate import Examiner
from difflut.searching.journal import Journal
from difflut.searching.problem import Problem
from difflut.searching.result import pareto_set
from difflut.searching.space import Space
from difflut.training import accuracy, trainer

TINY: dict[str, Any] = {"fpga": "xcup", "epochs": 3, "validation": 60, "progress": False}


@pytest.fixture(autouse=True, scope="module")
def packages() -> None:
    for package in ("optuna", "matplotlib"):
        require_package(package, "search")


def blobs(samples: int = 360, features: int = 12) -> Dataset:
    """Three classes that a few thresholds tell apart, as codes of four bits."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (samples,), generator=generator)
    noise = torch.randint(0, 8, (samples, features), generator=generator)
    x = (noise + 4 * (torch.arange(features) % 3 == y[:, None])).to(torch.uint8).clamp(max=15)
    return Dataset("blobs", Split(x[:300], y[:300]), Split(x[300:], y[300:]))


@pytest.fixture(scope="module")
def npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = blobs()
    path = tmp_path_factory.mktemp("data") / "blobs.npz"
    arrays = {"x_train": data.train.x, "y_train": data.train.y, "x_test": data.test.x, "y_test": data.test.y}
    np.savez(path, **{key: value.numpy() for key, value in arrays.items()})
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return search(blobs(), tmp_path_factory.mktemp("search") / "out", max_luts=60, trials=3, **TINY)


def left_over(directory: str | Path) -> list[str]:
    """What is in a search's directory that is none of its results."""
    whole = {"journal.log", "pareto.json", "pareto.csv", "pareto.md", "pareto.svg", "candidates"}
    files = [path for path in Path(directory).rglob("*") if path.name not in whole]
    return [str(path) for path in files if path.suffix != ".safetensors"]


def test_a_search_ends_with_a_pareto_set_within_its_budget(found: SearchResult) -> None:
    assert found.met
    assert found.best is not None
    assert len(found.pareto) + len(found.others) + found.pruned + found.failed == 3
    assert all(member.luts <= 60 for member in found.pareto)
    assert found.best == max(found.pareto, key=lambda member: member.held_out)
    assert left_over(found.directory) == []


def test_members_load_and_export_by_path_and_cost_what_was_said(found: SearchResult, tmp_path: Path) -> None:
    assert found.best is not None
    model = load_model(found.best.checkpoint)
    build = difflut.export_model(model, tmp_path / "build", fpga="xcup", outputs="class")
    assert build.info.estimated_luts == pytest.approx(found.best.luts, abs=1)
    assert build.info.latency_cycles == found.best.latency_cycles
    assert found.best.test_accuracy == accuracy(model, blobs().test) == model.info["test_accuracy"]
    assert found.held_out_samples == 60


def test_only_members_are_measured_on_test_samples(found: SearchResult) -> None:
    assert all(member.test_accuracy is not None for member in found.pareto)
    assert all(other.test_accuracy is None for other in found.others)
    for other in found.others:
        assert "test_accuracy" not in load_model(other.checkpoint).info


@pytest.mark.full
def test_test_samples_choose_nothing(tmp_path: Path) -> None:
    """With other test samples the same candidates are found."""
    data, journals = blobs(), []
    for name, test in (("a", data.test), ("b", Split(data.test.x.flip(0), data.test.y))):
        result = search(Dataset("blobs", data.train, test), tmp_path / name, max_luts=60, trials=1, **TINY)
        journals.append([(one.number, one.held_out, one.luts) for one in (*result.pareto, *result.others)])
    assert journals[0] == journals[1]


def test_candidates_are_fitted_and_chosen_on_training_samples_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test sample is among those that a candidate is fitted, trained or chosen on, and no held-out one is fitted."""
    seen: dict[str, torch.Tensor] = {}
    kept = trainer._Run.fit

    def noted(self: trainer._Run, fitting: Split, held_out: Split, progress: bool) -> None:
        seen.update(fitting=fitting.x, held_out=held_out.x)
        kept(self, fitting, held_out, progress)

    monkeypatch.setattr(trainer._Run, "fit", noted)
    data = blobs()
    marked = [
        torch.cat([part.x, torch.arange(len(part))[:, None] + offset], 1)
        for part, offset in ((data.train, 0), (data.test, 300))
    ]
    search(
        Dataset("b", Split(marked[0], data.train.y), Split(marked[1], data.test.y)),
        tmp_path / "out",
        max_luts=60,
        trials=1,
        **TINY,
    )
    fitting, held_out = (set(seen[name][:, -1].tolist()) for name in ("fitting", "held_out"))
    assert fitting | held_out == set(range(300))
    assert (len(held_out), fitting & held_out) == (60, set())


def test_the_files_tell_the_same(found: SearchResult) -> None:
    stem = Path(found.directory) / "pareto"
    told = json.loads(stem.with_suffix(".json").read_text())
    assert told["best"] == found.best.number  # type: ignore[union-attr]
    assert [row["luts"] for row in told["pareto"]] == [member.luts for member in found.pareto]
    rows = list(csv.DictReader(stem.with_suffix(".csv").open()))
    assert [float(row["held_out"]) for row in rows] == [member.held_out for member in found.pareto]
    assert len(stem.with_suffix(".md").read_text().splitlines()) == 2 + len(found.pareto)
    assert "prefers-color-scheme: dark" in stem.with_suffix(".svg").read_text()
    assert f"difflut export {found.best.checkpoint}" in found.text  # type: ignore[union-attr]


def test_a_search_that_ended_is_not_repeated(found: SearchResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Examiner, "examine", lambda *_: pytest.fail("a candidate was examined"))
    monkeypatch.setattr(run_module, "add_test_accuracy", lambda *_: pytest.fail("tested again"))
    assert search(blobs(), found.directory, max_luts=60, trials=3, **TINY).to_json() == found.to_json()


def test_another_search_in_its_place_is_refused(found: SearchResult, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds another search, which differs in max_luts"):
        search(blobs(), found.directory, max_luts=61, trials=3, **TINY)
    (tmp_path / "mine").touch()
    with pytest.raises(ConfigError, match="holds something else than a search"):
        search(blobs(), tmp_path, max_luts=60, trials=3, **TINY)
    with pytest.raises(ConfigError, match="choose another directory"):
        search(blobs(), tmp_path / "a\nb", max_luts=60, trials=3, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


KILLED = """
import os, signal
from pathlib import Path
from difflut.searching import search
from difflut.searching.candidate import Examiner
from test_search import TINY, blobs
kept = Examiner._after_epoch
def killed(self, trial, luts, history):
    kept(self, trial, luts, history)
    if len(history) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Examiner._after_epoch = killed
search(blobs(), Path(OUT), max_luts=60, trials=2, **TINY)
"""


@pytest.mark.full
@pytest.mark.skipif(os.name != "posix", reason="locks that end with their process, and SIGKILL")
def test_a_killed_search_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent / "support")])}
    code = KILLED.replace("OUT", repr(str(tmp_path / "out")))
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    epochs: list[tuple[int, int]] = []
    kept = Examiner._after_epoch

    def noted(self: Examiner, trial: Any, luts: float, history: list[dict[str, float]]) -> None:
        epochs.append((self.journal.place(trial), len(history)))
        kept(self, trial, luts, history)

    monkeypatch.setattr(Examiner, "_after_epoch", noted)
    monkeypatch.setattr("optuna.pruners.SuccessiveHalvingPruner.prune", lambda *_: False)
    result = search(blobs(), tmp_path / "out", max_luts=60, trials=2, **TINY)
    assert next(count for place, count in epochs if place == 0) == 2  # what it had when it was killed
    unbroken = search(blobs(), tmp_path / "unbroken", max_luts=60, trials=1, **TINY)
    assert len(result.pareto) + len(result.others) + result.pruned == 2
    first = {one.number: (one.held_out, one.luts) for one in (*result.pareto, *result.others)}[0]
    assert first == {one.number: (one.held_out, one.luts) for one in (*unbroken.pareto, *unbroken.others)}[0]
    assert left_over(tmp_path / "out") == []


def test_an_interrupted_candidate_is_left_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Examiner, "_after_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(blobs(), tmp_path / "out", max_luts=60, trials=2, **TINY)
    result = search(blobs(), tmp_path / "out", max_luts=60, trials=2, **TINY)
    assert {one.number for one in (*result.pareto, *result.others)} | {1} == {0, 1}
    assert left_over(tmp_path / "out") == []


@pytest.mark.full
def test_two_processes_share_a_journal(tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--max-luts", 60, "--fpga", "xcup", "--epochs", 2, "--trials", 3, "--jobs", 2, "--json")
    status, out, err = run(capsys, "search", "--data", npz, "--out", tmp_path / "out", *options)
    told = json.loads(out)
    assert status in (0, 1), err
    assert len(told["pareto"]) + len(told["others"]) + told["pruned"] + told["failed"] == 3
    numbers = [row["number"] for row in (*told["pareto"], *told["others"])]
    assert len(set(numbers)) == len(numbers)
    assert left_over(tmp_path / "out") == []


def test_a_budget_that_nothing_meets_is_status_1(tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--max-luts", 3, "--epochs", 1, "--trials", 2, "--jobs", 1)
    status, out, _ = run(capsys, "search", "--data", npz, "--out", tmp_path / "out", *options)
    assert status == 1
    assert "nothing meets the budget; no candidate was trained to the end. Search longer, or change the budget" in out
    assert left_over(tmp_path / "out") == []


def test_the_smallest_of_an_accuracy(tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--min-accuracy", 60, "--epochs", 2, "--trials", 1, "--jobs", 1)
    status, out, err = run(capsys, "search", "--data", npz, "--out", tmp_path / "out", *options)
    assert status == 0
    told = json.loads((tmp_path / "out/pareto.json").read_text())
    assert all(row["held_out"] >= 0.6 for row in told["pareto"])
    assert told["best"] == min(told["pareto"], key=lambda row: row["luts"])["number"]
    assert "blobs: at least 60.00 % in the fewest LUTs of generic" in out
    assert "LUTs  held out  cycles" in err  # the live table


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "a search needs a budget: give either max_luts or min_accuracy"),
        (("--max-luts", 60, "--min-accuracy", 90), "a search needs a budget: give either max_luts or min_accuracy"),
        (("--min-accuracy", 0.97), "--min-accuracy 0.97: is in percent, from 1 to 100, such as 97.5"),
        (("--min-accuracy", 101), "--min-accuracy 101: is in percent"),
        (("--min-accuracy", 20), "naming the most frequent class always reaches"),
        (("--max-luts", 2), "max_luts is 2, less than the 3 classes"),
        (("--max-luts", 0), "0 is not in the range 1<=x<=2147483647"),
        (("--max-luts", 60, "--fpga", "nofpga"), "nofpga"),
        (("--max-luts", 60, "--time", 0), "0.0 is not in the range x>0"),
        (("--max-luts", 60, "--validation", 300), "300 of blobs's 300 training samples held out"),
    ],
)
def test_senseless_budgets_are_refused(
    tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], words: str
) -> None:
    status, _, err = run(capsys, "search", "--data", npz, "--out", tmp_path / "out", *options)
    assert status == 2
    assert words in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y_train": torch.rand(300)}, "labels torch.float32 (300,); a search takes class indices"),
        ({"y_train": torch.zeros(300, dtype=torch.int64), "y_test": torch.zeros(60, dtype=torch.int64)}, "one class"),
        ({"y_test": torch.full((60,), 7)}, "a test label is 7; the training samples have 0 to 2"),
        ({"x_test": torch.full((60, 12), 99)}, "test codes from 99 to 99; the training samples' 4 bits have 0 to 15"),
        ({"x_train": torch.full((300, 12), 1 << 20)}, "have 21 bits, at most 16; give numbers"),
    ],
)
def test_samples_that_cannot_be_searched_are_refused(change: dict[str, torch.Tensor], words: str) -> None:
    data = blobs()
    given = {"x_train": data.train.x, "y_train": data.train.y, "x_test": data.test.x, "y_test": data.test.y, **change}
    changed = Dataset("blobs", Split(given["x_train"], given["y_train"]), Split(given["x_test"], given["y_test"]))
    with pytest.raises(DataError) as refused:
        Problem.of(changed, epochs=1, validation=None, seed=0)
    assert words in str(refused.value)


def test_codes_have_no_more_bits_than_the_samples(npz: Path) -> None:
    assert Problem.of(load_npz(npz), epochs=1, validation=None, seed=0).code_bits == 4
    floats = Dataset("f", *(Split(part.x.float(), part.y) for part in (blobs().train, blobs().test)))
    assert Problem.of(floats, epochs=1, validation=None, seed=0).input_bits == 8


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out/candidates").mkdir(parents=True)
    (tmp_path / "out/journal.log").write_text("no journal\nat all\n")
    with pytest.raises(DataError, match=r"journal\.log: is damaged"):
        search(blobs(), tmp_path / "out", max_luts=60, trials=1, **TINY)


def candidate(number: int, luts: int, held_out: float) -> Candidate:
    return Candidate(number, held_out, luts, 0, 1, None, "", "")


def test_the_pareto_set_is_within_the_budget_and_has_no_worse_one() -> None:
    known = [candidate(*row) for row in ((0, 50, 0.9), (1, 40, 0.9), (2, 60, 0.95), (3, 200, 0.99), (4, 55, 0.8))]
    assert [one.number for one in pareto_set(known, Budget(max_luts=100))] == [1, 2]
    assert [one.number for one in pareto_set(known, Budget(min_accuracy=0.92))] == [2, 3]


def test_a_candidate_is_as_wide_as_its_luts_allow() -> None:
    problem = Problem.of(blobs(), epochs=1, validation=None, seed=0)
    space = Space.of(problem, Budget(max_luts=1000))
    point = {**space.first()[0], "layers": 2, "taper": 3.0, "luts": 900.0}
    assert (space.start, Space.of(problem, Budget(min_accuracy=0.9)).start) == (950.0, (6 * 8000) ** 0.5)
    model, cost = space.sized(point, "net", lambda model: {"luts": sum(model.widths) * 3 + 50})
    assert 0.95 * 900 <= cost["luts"] <= 900
    assert model.widths[0] == pytest.approx(3 * model.widths[1], abs=9)


def test_progress_of_the_smallest_prefers_smaller_ones_of_about_equal_accuracy() -> None:
    least = Budget(min_accuracy=0.9)
    assert least.progress(500, 0.8) > least.progress(1000, 0.8)
    assert least.progress(1000, 0.85) > least.progress(500, 0.8)
    assert least.progress(500, 0.99) == least.progress(500, 0.9)
    assert Budget(max_luts=100).progress(10, 0.8) == Budget(max_luts=100).progress(100, 0.8)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"searching needs Optuna .*pip install 'difflut\[search\]'"):
        search(blobs(), tmp_path / "out", max_luts=60, trials=1)


def test_impossible_candidates_do_not_go_on_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(*_: object) -> None:
        raise ConfigError("no such network")

    monkeypatch.setattr(Space, "sized", impossible)
    with pytest.raises(run_module.SearchError, match="none of 10 candidates is possible, the last one: no such"):
        search(blobs(), tmp_path / "out", max_luts=60, hours=1, **TINY)


def test_time_that_is_up_starts_nothing(tmp_path: Path) -> None:
    result = search(blobs(), tmp_path / "out", max_luts=60, hours=1e-9, **TINY)
    assert not result.met
    assert (result.pruned, result.failed, result.others) == (0, 0, ())


def journal(directory: Path) -> Journal:
    return Journal(directory, {"data": "blobs"}, [], epochs=1, seed=0)


def test_two_journals_of_one_directory_give_each_candidate_once(tmp_path: Path) -> None:
    one, other = journal(tmp_path / "out"), journal(tmp_path / "out")
    with one.claimed(3) as first, other.claimed(3) as second, one.claimed(3) as third, other.claimed(3) as fourth:
        assert first is not None and second is not None and third is not None
        assert [first.number, second.number, third.number] == [0, 1, 2]
        assert fourth is None
        for mine, held in ((one, first), (other, second), (one, third)):
            mine.fail(held, "tried")
    assert [found.number for found in other.candidates()] == [0, 1, 2]
    assert left_over(tmp_path / "out") == []


@pytest.mark.skipif(os.name != "posix", reason="locks that end with their process")
def test_the_candidate_of_a_process_that_is_gone_is_taken_back_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    one, other = journal(tmp_path / "out"), journal(tmp_path / "out")
    with one.claimed(None) as living:
        assert living is not None
        dead = one._study.ask()
        value = dead.suggest_float("luts", 1.0, 9.0)
        one._lock(dead.number).touch()  # what is left of a lock whose process was killed
        with other.claimed(None) as taken:
            assert taken is not None
            assert other.place(taken) == dead.number
            assert taken.suggest_float("luts", 1.0, 9.0) == value
            assert other.checkpoint(taken).name == f"candidate_{dead.number}.safetensors"
            assert [found.number for found in other.candidates()] == [living.number, taken.number]
            other.tell(taken)
        one.tell(living)
    assert left_over(tmp_path / "out") == []
