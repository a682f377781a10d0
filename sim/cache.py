"""What was compiled, simulators and libraries, kept between runs in the user's own cache directory.

A build directory may come from somebody else, so nothing that lies in it is executed. What is executed lies in a
directory that only the user can write, under the digest of everything that it was compiled from.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import stat
import sys
import warnings
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path

from difflut.files import WriteError, scratch

VARIABLE = "DIFFLUT_CACHE_DIR"
KEPT = 32  # digests; the one that was used longest ago goes first
_ENTRY = re.compile(r"[0-9a-f]{64}")


def find(digest: str, name: str) -> Path | None:
    """The program `name` that was compiled from what has this SHA-256 digest, if it is kept."""
    program = _simulators() / digest / name
    try:
        if not program.is_file():
            return None
        os.utime(program.parent)
    except OSError:
        return None
    return program


def kept(digest: str) -> list[Path]:
    """All that is kept under this SHA-256 digest."""
    folder = _simulators() / digest
    try:
        files = sorted(folder.iterdir())
        os.utime(folder)
    except OSError:
        return []
    return files


def place(digest: str) -> Path:
    """The folder of a digest, for a lock while its file is made; made if it is not there.

    Raises:
        OSError: it cannot be made.
    """
    return _private(_simulators() / digest)


def install(product: Path, digest: str, name: str) -> Path:
    """Keep a file under a digest and return its place; a program that is running now keeps its own.

    Raises:
        WriteError: the cache cannot be written.
    """
    folder = _simulators()
    try:
        with scratch("install", folder) as partial:
            (partial / digest).mkdir(mode=0o700)
            shutil.copy(product, partial / digest / name)
            try:
                (partial / digest).rename(folder / digest)
            except OSError:  # another run was faster, or an entry is damaged
                (folder / digest).mkdir(mode=0o700, exist_ok=True)
                os.replace(partial / digest / name, folder / digest / name)
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(
            f"cannot write {folder}: {error.strerror}; simulators are kept there; name another directory in {VARIABLE}"
        ) from error
    _prune(folder)
    return folder / digest / name


def _prune(folder: Path) -> None:
    """Remove the simulators that were not used for longest."""
    ages: list[tuple[float, Path]] = []
    for entry in folder.iterdir():
        with suppress(OSError):
            if _ENTRY.fullmatch(entry.name):
                ages.append((entry.stat().st_mtime, entry))
    for _, entry in sorted(ages, reverse=True)[KEPT:]:
        shutil.rmtree(entry, ignore_errors=True)


def _simulators() -> Path:
    """The folder of simulators; one for this process alone where the user's cache cannot be used."""
    chosen = _cache_directory()
    try:
        folder = _private(_private(chosen, parents=True) / "simulators") if chosen else None
    except OSError as error:
        warnings.warn(f"simulators are not kept: {chosen}: {error.strerror or error}", stacklevel=2)
        folder = None
    return folder or _temporary()


def _cache_directory() -> Path | None:
    """The directory that DIFFLUT_CACHE_DIR names, else `difflut` in the platform's cache directory."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(os.path.abspath(named))
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "difflut"
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        return None
    return Path(home, *(("Library", "Caches") if sys.platform == "darwin" else (".cache",)), "difflut")


def _private(folder: Path, parents: bool = False) -> Path:
    """Make a directory, or make sure that an existing one is the user's and nobody else may write it."""
    if parents:
        folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    owner = os.geteuid() if hasattr(os, "geteuid") else found.st_uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o022:
        raise PermissionError(0, "is no directory that only you can write", str(folder))
    return folder


@lru_cache(maxsize=1)
def _temporary() -> Path:
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(scratch("simulators"))
