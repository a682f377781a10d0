"""Writing files whole or not at all; folders of temporary files that outlive no run."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from difflut.errors import DifflutError
from difflut.locks import is_at, try_lock

# A lock on the partial file, or on the file in a temporary folder, says that its writer lives.
_PARTIAL = re.compile(r"\.difflut-[a-z0-9_]{8}\.partial")
_SCRATCH = re.compile(r"difflut-[a-z]+-[a-z0-9_]{8}")
# Windows' tools take no part in this.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@,-]+" if os.name == "posix" else ".*")
_USUAL_PLACES = ("/tmp", "/var/tmp")
_SCRATCH_LOCK = ".difflut-scratch"


class WriteError(DifflutError, OSError):
    """A file or directory cannot be written."""

    def __str__(self) -> str:
        return str(self.args[0])


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary file beside it; on failure the old file stays as it was.

    Only a regular file is replaced. A link stays, and what it leads to is replaced; a named pipe or a character device
    (/dev/null, /dev/stdout) is written to.

    Raises:
        WriteError: if the folder does not exist, is read-only, or the disk is full; or if `path` is something else.
    """
    try:
        if _is_written_to(path):
            _write_into(path, content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that exists, is writable and has space"
        ) from error


def check_printable(directory: Path, error: type[DifflutError]) -> None:
    """Raise `error` for a directory whose path scripts, tables and pages cannot hold."""
    if not str(directory).isprintable():
        raise error(
            f"{str(directory)!r}: has a line end or another character that does not print; choose another directory"
        )


def _is_written_to(path: Path) -> bool:
    """Whether a path is a named pipe or a character device, not a file to be replaced; raises for what is neither."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    mode = found.st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise WriteError(
            f"cannot write {path}: it is a socket or a block device; give a file, a named pipe or a character device"
        )
    return not stat.S_ISREG(mode) or _standard_stream(found) is not None


def _standard_stream(found: os.stat_result) -> int | None:
    """The descriptor of standard output or error if that is the file: /dev/stdout, redirected to it."""
    for handle in (1, 2):
        with suppress(OSError):
            if os.path.samestat(found, os.fstat(handle)):
                return handle
    return None


def _write_into(path: Path, content: bytes) -> None:
    stream = _standard_stream(os.stat(path))  # opened anew, it would be written from its beginning
    with open(os.open(path, os.O_WRONLY) if stream is None else os.dup(stream), "wb") as file:
        file.write(content)


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = _new_partial(path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~current_umask())
            os.replace(temporary, path)
    except BaseException:  # an interruption, too, leaves nothing behind
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _new_partial(folder: Path) -> tuple[int, str]:
    """A locked temporary file; those that killed runs left in the folder are removed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PARTIAL.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_stale_file(entry.path)
    while True:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".difflut-", suffix=".partial")
        if try_lock(handle) is not False and is_at(handle, temporary):
            return handle, temporary
        os.close(handle)  # another run took it for a stale one before it was locked


def _remove_stale_file(path: str) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            if os.fstat(handle).st_uid == os.getuid() and try_lock(handle):
                os.unlink(path)
        finally:
            os.close(handle)


def tools_folder() -> Path:
    """Where tools may have temporary files: the system's folder for them (TMPDIR) or, if its path has a blank or
    another character that make, Verilator or ABC do not quote, one of the usual ones.

    Raises:
        WriteError: there is none.
    """
    places = (tempfile.gettempdir(), *_USUAL_PLACES)
    for place in places:
        if _PLAIN_PATH.fullmatch(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    raise WriteError(
        f"the temporary folder {places[0]!r} has characters that make and Verilator cannot handle; set TMPDIR to a "
        "folder with a plain name"
    )


@contextmanager
def scratch(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder for temporary files, gone afterwards; those of killed runs beside it are removed.

    Args:
        purpose: a lower-case word for its name.
        parent: where; the system's folder of temporary files (TMPDIR) by default.

    Raises:
        WriteError: it cannot be made.
    """
    place = parent or Path(tempfile.gettempdir())
    _remove_stale_folders(place)
    try:
        folder, handle = _new_scratch(purpose, place)
    except OSError as error:
        raise WriteError(
            f"cannot make a folder for temporary files in {place}: {error.strerror or error}; "
            + ("choose a place that is writable and has space" if parent else "set TMPDIR to one that is writable")
        ) from error
    try:
        yield folder
    finally:
        _remove_scratch(folder)
        os.close(handle)


def _new_scratch(purpose: str, place: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=place, prefix=f"difflut-{purpose}-"))
        with suppress(FileNotFoundError):  # another run took it for a stale one
            handle = os.open(folder / _SCRATCH_LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if try_lock(handle) is not False and is_at(handle, folder / _SCRATCH_LOCK):
                return folder, handle
            os.close(handle)


def _remove_stale_folders(place: Path) -> None:
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _SCRATCH.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_stale_folder(Path(entry.path))


def _remove_stale_folder(folder: Path) -> None:
    """Remove a temporary folder whose run is gone. What has no lock file is not ours, unless it is empty."""
    with suppress(OSError):
        if os.stat(folder).st_uid != os.getuid():
            return
        try:
            handle = os.open(folder / _SCRATCH_LOCK, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            folder.rmdir()
            return
        try:
            if try_lock(handle):
                _remove_scratch(folder)
        finally:
            os.close(handle)


def _remove_scratch(folder: Path) -> None:
    """Remove a temporary folder, its lock file last: what an interruption leaves can still be recognised."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name == _SCRATCH_LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        (folder / _SCRATCH_LOCK).unlink(missing_ok=True)
        folder.rmdir()


def current_umask() -> int:
    """The process's file mode creation mask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
