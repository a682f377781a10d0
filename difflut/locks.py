"""Advisory locks on files and folders. They end with the process that holds them: a killed run never blocks the
next.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def try_lock(handle: int, *, shared: bool = False) -> bool | None:
    """Lock an open file or folder without waiting.

    Returns:
        True if this handle has the lock now, False if another has it, None where the file system knows no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _BUSY else None
    return True


def is_at(handle: int, path: Path | str) -> bool:
    """Whether the open file or folder is still what `path` names."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except OSError:
        return False


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder, alone or with others that share it; where another run holds it, say so and wait.

    Raises:
        OSError: the folder cannot be opened.
    """
    place = os.path.realpath(folder)
    while True:
        handle = os.open(place, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            if try_lock(handle, shared=shared) is False:
                print(f"waiting: another run of difflut is using {folder}", file=sys.stderr, flush=True)
                fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if is_at(handle, place):  # else it was removed while this run waited
                yield
                return
        finally:
            os.close(handle)
