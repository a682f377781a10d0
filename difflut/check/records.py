"""What `difflut verify` keeps in a build's work folder: the outcome, and what the RTL returned.

Free of torch: `difflut report` reads it. `difflut prove` and `difflut synth` keep a `report.json` of their own beside
it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut import reading
from difflut.export.builds import store
from difflut.export.builds.stored import VERIFICATION, read_object
from difflut.files import WriteError, write_atomically
from difflut.locks import locked
from difflut.shown import Brief

REPORT_FILE = "report.json"
OUTPUTS_FILE = "outputs.npz"
_PREFIX = "verify-"
_OUTPUTS_DIGEST = "outputs_sha256"
_ARRAYS = ("scores", "classes", "top", "labels")

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class RtlOutputs(Brief):
    """What the RTL returned: the labelled samples first, then those of random codes.

    Attributes:
        scores: int64 (N, classes), None where the RTL has no such output.
        classes: int64 (N,), likewise.
        top: int64 (N, ranks), the class of each rank, likewise.
        labels: int64 (L,), L <= N, the labels of the first L samples.
    """

    scores: IntArray | None
    classes: IntArray | None
    top: IntArray | None
    labels: IntArray

    def predicted(self) -> IntArray:
        """int64 (N,): the class that the outputs name or, with scores only, imply; ties go to the lowest index."""
        if self.classes is not None:
            return self.classes
        if self.top is not None:
            return self.top[:, 0]
        assert self.scores is not None
        best: IntArray = self.scores.argmax(axis=1)
        return best


@dataclass(frozen=True, eq=False, repr=False)
class Record(Brief):
    """One kept verification.

    Attributes:
        folder: where it is.
        report: the fields of a `VerificationReport`: build, digest, date, data, steps, simulator, ...
        outputs: what the RTL returned; None if it was not run, or the file is damaged.
    """

    folder: Path
    report: Mapping[str, Any]
    outputs: RtlOutputs | None


def now() -> str:
    """The present time, UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def keep(directory: Path, report: Mapping[str, Any], outputs: RtlOutputs | None) -> Path:
    """Write a verification into the build's work folder, instead of the last one with the same simulator.

    A run with waveforms, of a few samples, has a place of its own.

    Raises:
        WriteError: the folder cannot be written.
    """
    name = f"{_PREFIX}{report['simulator']}{'-waves' if report.get('waves') else ''}"
    folder = Path(directory) / store.WORK_FOLDER / name
    content = io.BytesIO()
    if outputs is not None:
        arrays = {key: getattr(outputs, key) for key in _ARRAYS if getattr(outputs, key) is not None}
        np.savez_compressed(content, **arrays)
    # The digest ties the two files together: a run that is cut off between them leaves no pair of two runs.
    named = {**report, _OUTPUTS_DIGEST: _digest(content.getvalue()) if outputs is not None else None}
    text = json.dumps(named, indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            (folder / OUTPUTS_FILE).unlink(missing_ok=True)
            if outputs is not None:
                write_atomically(folder / OUTPUTS_FILE, content.getvalue())
            write_atomically(folder / REPORT_FILE, text.encode())
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write to {folder}: {error.strerror}; make the build directory writable") from error
    return folder


def kept(directory: Path) -> list[Record]:
    """Every verification kept in a build, whatever build it was made on; compare the digests. Damaged ones are left
    out.
    """
    found = []
    for path in sorted((Path(directory) / store.WORK_FOLDER).glob(f"{_PREFIX}*/{REPORT_FILE}")):
        report = read_object(path, VERIFICATION)
        if report is not None and report["steps"]:
            digest = report.pop(_OUTPUTS_DIGEST, None)
            found.append(Record(path.parent, report, _read_outputs(path.with_name(OUTPUTS_FILE), digest)))
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_outputs(path: Path, digest: str | None) -> RtlOutputs | None:
    """What the RTL returned; None if there is no such file, or it is damaged or that of another run."""
    try:
        content = path.read_bytes()
        if _digest(content) != digest:
            return None
        found = reading.read_npz(io.BytesIO(content), _ARRAYS)
        arrays = {key: reading.integers(array) for key, array in found.items()}
    except (OSError, ValueError):
        return None
    if "labels" not in arrays or len(arrays) == 1 or not _are_outputs(arrays):
        return None
    return RtlOutputs(arrays.get("scores"), arrays.get("classes"), arrays.get("top"), arrays["labels"])


def _are_outputs(arrays: Mapping[str, IntArray]) -> bool:
    """Whether arrays have the shapes of `RtlOutputs`, and class indices are some."""
    labels = arrays["labels"]
    outputs = {key: array for key, array in arrays.items() if key != "labels"}
    lengths = {array.shape[:1] for array in outputs.values()}
    return (
        len(lengths) == 1
        and all(array.ndim == (1 if key in ("classes", "labels") else 2) for key, array in arrays.items())
        and len(labels) <= lengths.pop()[0]
        and all(
            key == "scores" or not array.size or 0 <= array.min() <= array.max() < 1 << 16
            for key, array in arrays.items()
        )
    )
