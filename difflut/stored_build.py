"""A build directory as an object: what an export gives, and what every later step takes. Free of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from difflut.export.builds import store
from difflut.export.builds.info import BuildInfo
from difflut.export.builds.store import Build
from difflut.report.evidence import Known
from difflut.report.summary import lines
from difflut.report.synthesis import syntheses
from difflut.shown import Shown

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


class StoredBuild(Shown, os.PathLike[str]):
    """A build directory; where a path is taken, it is one.

    Attributes:
        directory: where it is.
        model: the live model that it was exported from; None for a directory that was opened.
    """

    def __init__(self, directory: str | os.PathLike[str], model: BaseModel | None = None) -> None:
        self.directory = Path(directory)
        self.model = model

    @cached_property
    def build(self) -> Build:
        """Its files, read once.

        Raises:
            BundleError: the directory is not a complete, unedited build.
        """
        return store.read(self.directory)

    @property
    def info(self) -> BuildInfo:
        """Its `build.json`."""
        return self.build.info

    @property
    def digest(self) -> str:
        """SHA-256 of its `build.json`."""
        return self.build.digest

    def __fspath__(self) -> str:
        return os.fspath(self.directory)

    def __str__(self) -> str:
        return str(self.directory)

    def lines(self) -> Iterator[str]:
        """Size, latency, clock: estimated, or what flows have found since."""
        yield f"{self.info.model.name} -> {self.directory}"
        fresh = [found for found in syntheses(self.directory) if found.digest == self.digest]
        for line in lines(self.info, Known.of(self.info, fresh)):
            yield f"  {line}"
