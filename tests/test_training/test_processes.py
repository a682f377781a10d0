"""Training in two processes, started by torchrun, gives what one process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed

from difflut.data import Dataset, Split, load_npz
from difflut.errors import CheckpointError, ConfigError
from difflut.models.checkpoint import read_checkpoint
from difflut.training import Recipe, processes, train
from difflut.training.processes import Processes, launched_by_torchrun

ROOT = Path(__file__).parents[2]
# Neither the batch nor the held-out samples can be halved.
RECIPE = Recipe(epochs=3, batch_size=21, validation=41, learning_rate=0.05, max_shift=1, flip=True, seed=3)
STEPS = 3 * (159 // 21)


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 260)
    x = (rng.integers(0, 80, (260, 3, 4, 4)) + 60 * y[:, None, None, None]).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "brightness.npz"
    np.savez(path, x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    return path


def torchrun(data_file: Path, out: Path, **environment: object) -> subprocess.CompletedProcess[str]:
    """`difflut train` in two processes on the CPU."""
    launcher = "-m torch.distributed.run --standalone --nproc-per-node 2 -m difflut train parallel_model:Net"
    options = (
        "--dataset npz --device cpu --epochs 3 --batch-size 21 --validation 41 --learning-rate 0.05 --max-shift 1 "
        "--flip --seed 3"
    )
    command = [sys.executable, *launcher.split(), "--data", str(data_file), "--out", str(out), *options.split()]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    variables = {**os.environ, "PYTHONPATH": path, **{key: str(value) for key, value in environment.items()}}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def two(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave: the checkpoint, and below `digests` a digest of each one's parameters."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "digests").mkdir()
    done = torchrun(data_file, folder / "net.safetensors", DIGESTS=folder / "digests")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test samples") == 1  # one of the processes reports
    assert sorted(os.listdir(folder)) == ["digests", "net.safetensors"]
    return folder


def test_two_processes_give_what_one_gives(two: Path, data_file: Path, tmp_path: Path) -> None:
    from parallel_model import Net

    result = train(Net, load_npz(data_file), RECIPE, tmp_path / "one", progress=False)
    one_header, one = read_checkpoint(tmp_path / "one")
    two_header, both = read_checkpoint(two / "net.safetensors")
    assert {key: torch.equal(one[key], both[key]) for key in one} == dict.fromkeys(both, True)
    histories = one_header.info.pop("history"), two_header.info.pop("history")
    assert histories[0] == result.curves()
    assert histories[1].pop("loss") == pytest.approx(histories[0].pop("loss"), rel=1e-4)
    assert histories[0] == histories[1]
    assert one_header == two_header


def test_all_processes_hold_the_same_parameters(two: Path) -> None:
    first, second = ((two / "digests" / rank).read_text() for rank in "01")
    assert first == second
    assert first.startswith(f"{STEPS} ")


def test_resuming_gives_the_same_bytes(two: Path, data_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    stopped = torchrun(data_file, out, STOP_AT=STEPS // 3 + 2)  # in the second epoch
    assert stopped.returncode != 0
    # A killed process cannot remove its lock file; the lock itself is gone, and the file goes with the next run.
    assert sorted(os.listdir(tmp_path)) == [".difflut-net.safetensors.lock", "net.safetensors.resume"]
    resumed = torchrun(data_file, out)
    assert resumed.returncode == 0, resumed.stderr
    assert os.listdir(tmp_path) == ["net.safetensors"]
    assert out.read_bytes() == (two / "net.safetensors").read_bytes()


def test_unusable_input_stops_all_processes(data_file: Path, tmp_path: Path) -> None:
    (tmp_path / "net.resume").write_text("nonsense")
    done = torchrun(data_file, tmp_path / "net")
    assert done.returncode != 0
    assert f"error: {tmp_path / 'net.resume'}: cannot resume from it (" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the threads' names from /proc")
def test_no_thread_of_the_group_is_left() -> None:
    """A gloo thread that outlives the group may abort the process when the interpreter ends."""
    code = """
import os, torch
from difflut.training.processes import Processes, launched_by_torchrun
def threads():
    return [name for t in os.listdir("/proc/self/task") if "gloo" in (name := open(f"/proc/self/task/{t}/comm").read())]
with launched_by_torchrun("cpu"):
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter.grad = torch.ones(3)
    torch.distributed.all_reduce(parameter.grad)
    torch.optim.Adam([parameter]).step()
    torch.save(parameter, os.devnull)
    assert threads()
assert not threads(), threads()
"""
    group = {
        "TORCHELASTIC_RUN_ID": "one",
        "RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
    }
    variables = {**os.environ, **group, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Parts


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("samples", [7, 20, 100])
def test_parts_cover_the_batch(count: int, samples: int) -> None:
    parts = [list(range(samples))[Processes(rank, count).part(samples)] for rank in range(count)]
    assert [sample for part in parts for sample in part] == list(range(samples))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_communicates_nothing() -> None:
    tensor = torch.ones(2)
    alone = Processes.current()
    assert (alone.rank, alone.count) == (0, 1)
    alone.sum([tensor, None])
    alone.copy_from_first([tensor])
    assert tensor.tolist() == [1, 1]
    assert alone.on_first(lambda: 3) == 3


def test_an_error_of_the_first_process_is_raised_in_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def broadcast(box: list[Any], src: int) -> None:
        box[:] = sent or box
        sent[:] = box

    def fail() -> None:
        raise CheckpointError("damaged")

    monkeypatch.setattr(distributed, "broadcast_object_list", broadcast)
    for rank in (0, 1):
        with pytest.raises(CheckpointError, match="damaged"):
            Processes(rank, 2).on_first(fail if rank == 0 else pytest.fail)  # type: ignore[arg-type]


def test_a_batch_smaller_than_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from parallel_model import Net

    monkeypatch.setattr(Processes, "current", staticmethod(lambda: Processes(0, 4)))
    split = Split(torch.zeros(9, 3, 4, 4), torch.zeros(9, dtype=torch.int64))
    with pytest.raises(ConfigError) as caught:
        train(Net, Dataset("none", split, split), Recipe(batch_size=3, validation=2), tmp_path / "net")
    assert str(caught.value) == "a batch of 3 cannot be shared by 4 processes; give a larger batch_size"


def test_fewer_gpus_than_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Callable[..., None]] = []
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(processes.distributed, "init_process_group", started.append)
    with pytest.raises(ConfigError) as caught, launched_by_torchrun("cuda"):
        pass
    assert str(caught.value) == "torchrun started process 3 on this machine, which has 2 GPUs; give --nproc-per-node 2"
    assert started == []
