"""Runs command lines apart from the tests: each in a process of its own, with a limit of memory and of time.

`Apart` starts a server (this file, run as a program), which imports everything once and forks for each command line.
So a traceback, a crash, a hang or gigabytes are outcomes like others, and a run costs some hundredths of a second.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from difflut.cli import main

SUPPORT = Path(__file__).parent
MEMORY_BYTES = 1 << 30  # that a command line may take beyond what its imports do
SECONDS = 60.0
TOOL_STARTED = 77


@dataclass(frozen=True)
class Outcome:
    """What a command line did.

    Attributes:
        status: exit status, negative for a signal.
        out, err: what it printed.
        raised: the traceback of an exception that is none of ours, else empty.
        timed_out: whether it was ended.
        seconds: wall time.
        megabytes: by which its resident memory grew.
    """

    status: int
    out: str
    err: str
    raised: str = ""
    timed_out: bool = False
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def fault(self) -> str:
        """What is wrong with it in a word, empty if it ended as a command should: with its result or a message."""
        if self.timed_out:
            return "hangs"
        if self.status < 0:
            return "crashes"
        if self.raised:
            return "raises MemoryError" if "MemoryError" in self.raised else "raises"
        if self.megabytes > 512:
            return "takes memory"
        if any(char not in "\n\t\r" and not char.isprintable() for char in self.out + self.err):
            return "prints control characters"
        if self.status == TOOL_STARTED:
            return ""
        if self.status not in (0, 1, 2):
            return "status"
        if self.status == 2 and not self.err.startswith(("error: ", "Usage: ", "Error: ")):
            return "no message"
        if self.status == 2 and len(self.err) > 20_000:
            return "long message"
        return "" if "Warning: " not in self.err else "warns"


class Apart:
    """The server; a context manager.

    Args:
        tools: whether command lines may start programs; else the first one that does ends with `TOOL_STARTED`.
    """

    def __init__(self, *, tools: bool = False, seconds: float = SECONDS) -> None:
        self._arguments = [str(seconds), str(int(tools))]

    def __enter__(self) -> Apart:  # noqa: PYI034 (Python 3.10 has no Self)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")]),
        }
        self._server = subprocess.Popen(
            [sys.executable, __file__, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def run(self, arguments: Sequence[object], folder: Path) -> Outcome:
        """`difflut ARGUMENTS` in a folder."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps({"arguments": [str(each) for each in arguments], "folder": str(folder)}))
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return Outcome(**json.loads(self._server.stdout.readline()))


def _serve(seconds: float, tools: bool) -> None:
    _import_all()
    gc.freeze()  # children then copy fewer pages
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(asdict(_forked(case["arguments"], case["folder"], seconds, tools))), flush=True)


def _import_all() -> None:
    """Import what commands import, PyTorch's parts that are loaded at first use among it: run some of each."""
    import matplotlib.pyplot  # noqa: F401
    import numpy as np
    import torch
    from small_models import Chain, fitted

    torch.set_num_threads(1)
    samples = np.arange(60 * 6).reshape(60, 6).astype(np.uint8)
    arrays = {
        f"{axis}_{part}": samples if axis == "x" else samples[:, 0] % 4 for axis in "xy" for part in ("train", "test")
    }
    model, source = ("--model", "small_models:Chain"), ("--data", "d.npz", "--dataset", "npz")
    short = ("--validation", "10", "--epochs", "1", "--batch-size", "10", "--out", "c")
    with tempfile.TemporaryDirectory() as place, open(os.devnull, "w") as nothing:
        before = os.getcwd()
        os.chdir(place)
        np.savez("d.npz", **arrays)  # type: ignore[arg-type]
        fitted(Chain()).save_checkpoint("m")
        with redirect_stdout(nothing), redirect_stderr(nothing):
            for line in (
                ("train", model[1], *source, *short),
                ("evaluate", "m", *model, *source),
                ("export", "m", *model, "--out", "net"),
                ("verify", "net", *model, "--simulator", "none", *source),
                ("report", "net"),
                ("show", "net", "--node", "L1.0"),
                ("trace-input", "m", *model, "--image", "0", *source),
                ("prove", "nothing"),
                ("synth", "net", "--flow", "vivado", "--no-run", "--device", "x"),
                ("synth", "net", "--flow", "nextpnr", "--device", "x"),
                ("synth", "nothing"),
            ):
                with suppress(SystemExit):
                    main(line)
        os.chdir(before)


def _forked(arguments: list[str], folder: str, seconds: float, tools: bool) -> Outcome:
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(arguments, folder, place, tools)
        timed_out = False
        while True:
            done, how, usage = os.wait4(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() - started > seconds and not timed_out:
                timed_out = True
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.002)
        texts = {
            name: (Path(place) / name).read_text(errors="surrogateescape") if (Path(place) / name).exists() else ""
            for name in ("out", "err", "raised", "before")
        }
        base = float(texts.pop("before") or 0)
        return Outcome(
            status=os.waitstatus_to_exitcode(how),
            timed_out=timed_out,
            seconds=time.monotonic() - started,
            megabytes=usage.ru_maxrss / 1024 - base,
            **texts,
        )


def _child(arguments: list[str], folder: str, place: str, tools: bool) -> None:
    status = 70
    try:
        os.setsid()
        os.chdir(folder)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{place}/{name}", os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = open(1, "w", closefd=False, errors="surrogateescape")  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, errors="surrogateescape")  # noqa: SIM115
        # A child's peak begins with its parent's size, of which these pages are a copy.
        Path(f"{place}/before").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
        virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (virtual + MEMORY_BYTES,) * 2)
        if not tools:

            def start(*_: object, **__: object) -> None:
                os._exit(TOOL_STARTED)

            subprocess.Popen.__init__ = start  # type: ignore[method-assign, assignment]
        status = _run(arguments, place)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 (the outcome)
        Path(f"{place}/raised").write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _run(arguments: list[str], place: str) -> int:
    try:
        main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:  # noqa: BLE001 (the outcome)
        Path(f"{place}/raised").write_text(traceback.format_exc(), errors="surrogateescape")
        return 1
    return 0


if __name__ == "__main__":
    _serve(float(sys.argv[1]), sys.argv[2] == "1")
