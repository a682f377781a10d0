"""The reports that flows leave in a build directory: written whole, found again, stale ones recognised.

Each flow keeps everything in a folder of its own, `work/<flow>-<device or family>/`, and its result in `report.json`
there. Every report has `flow`, `status` ("done" or "not run"), `build`, `digest` (of the `build.json` that it was made
from), `fpga` and `tools`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difflut.errors import DifflutError
from difflut.export.builds import store
from difflut.export.builds.stored import FLOW_REPORT, read_object
from difflut.files import WriteError, write_atomically
from difflut.locks import locked

REPORT = "report.json"


@dataclass(frozen=True)
class FlowReport:
    """A report that was found.

    Attributes:
        path: its file.
        content: the JSON object.
        stale: whether the build has been replaced since.
    """

    path: Path
    content: Mapping[str, Any]
    stale: bool

    @property
    def flow(self) -> str:
        """The flow that made it."""
        return str(self.content["flow"])


@contextmanager
def flow_folder(folder: Path, products: Sequence[str] = ()) -> Iterator[Path]:
    """Hold a flow's folder alone, made if it is not there; of two runs at once one waits.

    The report of an earlier run is gone, and so are its `products` (names or patterns): nothing stale can pass for new.
    Whatever else is there, such as a project that the user made, stays.

    Raises:
        WriteError: the folder cannot be made or changed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            for pattern in (REPORT, *products):
                for old in folder.glob(pattern):
                    if old.is_symlink() or not old.is_dir():
                        old.unlink()
            yield folder
    except DifflutError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write to {folder}: {error.strerror or error}; make it writable") from error


def save_report(folder: Path, content: Mapping[str, Any]) -> None:
    """Write a flow's report into its folder."""
    write_atomically(folder / REPORT, (json.dumps(content, indent=2) + "\n").encode())


def find_reports(directory: Path) -> list[FlowReport]:
    """All reports in a build directory, by folder name; files that are no report of a flow are passed over.

    Raises:
        BundleError: the directory is not a complete, unedited build.
    """
    digest = store.read(directory).digest
    found = []
    for path in sorted((directory / store.WORK_FOLDER).glob(f"*/{REPORT}")):
        content = read_object(path, FLOW_REPORT)
        if content is not None:
            found.append(FlowReport(path, content, content["digest"] != digest))
    return found
