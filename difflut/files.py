"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from difflut.errors import DifflutError


class WriteError(DifflutError, OSError):
    """A file or directory cannot be written."""

    def __str__(self) -> str:
        return str(self.args[0])


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary file beside it; on failure the old file stays as it was.

    Raises:
        WriteError: if the folder does not exist, is read-only, or the disk is full.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~current_umask())
            os.replace(temporary, path)
        except BaseException:  # an interruption, too, leaves nothing behind
            os.unlink(temporary)
            raise
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that exists, is writable and has space"
        ) from error


def current_umask() -> int:
    """The process's file mode creation mask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
