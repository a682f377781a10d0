"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from difflut.files import WriteError, scratch, write_atomically
from difflut.locks import try_lock

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


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "second").symlink_to("link")
    write_atomically(tmp_path / "second", b"new")
    assert (tmp_path / "folder" / "file").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "second").is_symlink()
    (tmp_path / "dangling").symlink_to("folder/made")
    write_atomically(tmp_path / "dangling", b"new")
    assert (tmp_path / "folder" / "made").read_bytes() == b"new" and (tmp_path / "dangling").is_symlink()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(WriteError, match="loop: Too many levels of symbolic links"):
        write_atomically(tmp_path / "loop", b"new")
    assert sorted(os.listdir(tmp_path)) == ["dangling", "folder", "link", "loop", "second"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        read: list[bytes] = []
        reader = threading.Thread(target=lambda read=read: read.append((tmp_path / "pipe").read_bytes()))
        reader.start()
        write_atomically(tmp_path / name, b"content" * 50_000)
        reader.join()
        assert read == [b"content" * 50_000]
    assert (tmp_path / "pipe").is_fifo() and sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_standard_output_that_is_a_file(tmp_path: Path) -> None:
    if not os.path.exists("/dev/stdout"):
        pytest.skip("this system has no /dev/stdout")
    program = (
        "from pathlib import Path; from difflut.files import write_atomically; print('before', flush=True)\n"
        "write_atomically(Path('/dev/stdout'), b'content\\n'); print('after')"
    )
    with (tmp_path / "file").open("wb") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert (tmp_path / "file").read_text() == "before\ncontent\nafter\n"


def test_a_character_device_is_written_to() -> None:
    own, terminal = os.openpty()
    try:
        write_atomically(Path(os.ttyname(terminal)), b"content")
        assert os.read(own, 100) == b"content"
        assert stat.S_ISCHR(os.stat(os.ttyname(terminal)).st_mode)
    finally:
        os.close(own)
        os.close(terminal)


@pytest.mark.parametrize("kind", [stat.S_IFBLK, stat.S_IFSOCK])
def test_other_targets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    path = tmp_path / "special"
    path.write_bytes(b"old")
    real = os.stat

    def described(name: object, **options: Any) -> Any:
        found = real(name, **options)  # type: ignore[arg-type]
        return os.stat_result((kind | 0o600, *found[1:])) if name == path else found

    monkeypatch.setattr(os, "stat", described)
    with pytest.raises(WriteError, match=r"special: it is a socket or a block device; give a file, a named pipe or"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_partial_files_of_killed_runs_are_removed_and_no_others(tmp_path: Path) -> None:
    (tmp_path / ".difflut-abc_1234.partial").write_bytes(b"of a killed run")
    kept = [".difflut-mine.partial", ".other-abc_1234.partial", ".difflut-zzzzzzzz.partial"]
    for name in kept[:2]:
        (tmp_path / name).write_bytes(b"")
    os.mkdir(tmp_path / kept[2])
    with (tmp_path / ".difflut-living00.partial").open("wb") as living:
        assert try_lock(living.fileno())
        write_atomically(tmp_path / "a.bin", b"x")
        assert sorted(os.listdir(tmp_path)) == sorted([*kept, "a.bin", ".difflut-living00.partial"])


def test_temporary_folders_of_killed_runs_are_removed_and_no_others(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from difflut.files import scratch\n"
        "with scratch('sim', Path(sys.argv[1])) as folder:\n"
        "    (folder / 'obj').mkdir(); (folder / 'obj' / 'a.o').write_text('x'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == -9
    (killed,) = os.listdir(tmp_path)
    assert killed.startswith("difflut-sim-")
    kept = ["difflut-sim-mine0000", "difflut-notes", "other"]  # the first: no lock file, so a user's
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("x")
    (tmp_path / "difflut-sim-linked00").symlink_to(kept[0])
    with scratch("run", tmp_path) as living:
        assert killed not in os.listdir(tmp_path)
        with scratch("run", tmp_path) as second:
            (second / "deep" / "er").mkdir(parents=True)
            assert living.is_dir() and second.is_dir() and second != living
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "difflut-sim-linked00"])
    assert all(os.listdir(tmp_path / name) == ["mine"] for name in kept)


def test_no_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "no"))
    with (
        pytest.raises(WriteError, match=r"temporary files in .*/no: No such file or directory; set TMPDIR"),
        scratch("sim"),
    ):
        pass
