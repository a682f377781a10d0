"""The reports that flows leave in a build directory: written whole, found again, stale ones recognised.

Each flow keeps everything in a folder of its own, `work/<flow>-<device or family>/`, and its result in `report.json` there.
Every report has `flow`, `status` ("done" or "not run"), `build`, `digest` (of the `build.json` that it was made from),
`fpga` and `tools`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difflut.export import bundle
from difflut.export.stored import FLOW_REPORT, read_object
from difflut.files import write_atomically

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


def fresh_folder(directory: Path, name: str) -> Path:
    """The empty folder `name` of a flow in a build directory; what an earlier run left there is gone."""
    folder = directory / bundle.WORK_FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def save_report(folder: Path, content: Mapping[str, Any]) -> None:
    """Write a flow's report into its folder."""
    write_atomically(folder / REPORT, (json.dumps(content, indent=2) + "\n").encode())


def find_reports(directory: Path) -> list[FlowReport]:
    """All reports in a build directory, by folder name; files that are no report of a flow are passed over.

    Raises:
        BundleError: the directory is not a complete, unedited build.
    """
    digest = bundle.read(directory).digest
    found = []
    for path in sorted((directory / bundle.WORK_FOLDER).glob(f"*/{REPORT}")):
        content = read_object(path, FLOW_REPORT)
        if content is not None:
            found.append(FlowReport(path, content, content["digest"] != digest))
    return found
