"""The place of a checkpoint while it is trained: a file, and one training at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from difflut.errors import ConfigError
from difflut.files import WriteError
from difflut.locks import is_at, try_lock


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Hold the place of a checkpoint, which its resume file shares, against other trainings.

    Raises:
        ConfigError: it is no place for a file that is read again, or another training writes there.
        WriteError: its folder cannot be written to.
    """
    if not out.name or out.is_dir():
        raise ConfigError(f"--out {out}: is a folder; give the name of a checkpoint file")
    if out.exists() and not out.is_file():
        raise ConfigError(f"--out {out}: is no regular file, and a checkpoint is read again; give a file")
    lock = out.with_name(f".difflut-{out.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise WriteError(
            f"cannot write {lock}: {error.strerror}; choose a folder that exists, is writable and has space"
        ) from error
    try:
        if try_lock(handle) is False or not is_at(handle, lock):
            raise ConfigError(
                f"--out {out}: another training is writing there; wait for its end or choose another --out"
            )
        try:
            yield
        finally:
            os.unlink(lock)
    finally:
        os.close(handle)
