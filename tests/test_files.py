"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from difflut.files import WriteError, write_atomically

REMEDY = "choose a folder that exists, is writable and has space"


def fail_with(number: int) -> Any:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def test_write_and_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two" * 100_000)
    assert path.read_bytes() == b"two" * 100_000
    assert os.listdir(tmp_path) == ["a.bin"]


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomically(Path("a.bin"), b"")
    assert (tmp_path / "a.bin").read_bytes() == b""


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a.bin", b"x")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("function", "number"),
    [("fsync", errno.ENOSPC), ("fsync", errno.EIO), ("replace", errno.EROFS), ("chmod", errno.EPERM)],
)
def test_failure_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int
) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, function, fail_with(number))
    with pytest.raises(WriteError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"cannot write {path}: {os.strerror(number)}; {REMEDY}"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    fdopen = os.fdopen

    def open_full(handle: int, mode: str) -> Any:
        os.close(handle)
        return fdopen(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr(os, "fdopen", open_full)
    with pytest.raises(WriteError) as caught:
        write_atomically(path, b"new" * 100_000)
    assert str(caught.value) == f"cannot write {path}: No space left on device; {REMEDY}"
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_interruption_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.bin", b"new")
    assert os.listdir(tmp_path) == []


def test_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "no" / "a.bin"
    with pytest.raises(WriteError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"cannot write {path}: No such file or directory; {REMEDY}"


def test_target_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(WriteError) as caught:
        write_atomically(folder, b"new")
    assert str(caught.value) == f"cannot write {folder}: Is a directory; {REMEDY}"
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_no_file_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    monkeypatch.setattr(tempfile, "mkstemp", fail_with(number))
    with pytest.raises(WriteError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"cannot write {path}: {os.strerror(number)}; {REMEDY}"
    assert path.read_bytes() == b"old"
