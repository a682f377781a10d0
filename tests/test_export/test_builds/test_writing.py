"""An export replaces what earlier exports wrote, keeps or names all else, and is never half there."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import msgspec
import pytest
from command_line import run
from small_models import Chain, fitted

from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.builds.writing import EXCHANGE_FOLDER, STAGING_FOLDER
from difflut.export.errors import BundleError
from difflut.files import WriteError
from difflut.locks import locked

INFO = make_build(fitted(Chain())).info
OLD_INFO, NEW_INFO = (msgspec.structs.replace(INFO, name=name, core=name) for name in ("old", "new"))
OLD = Build.of(OLD_INFO, {"rtl/old.v": b"old", "rtl/both.v": b"1", "include/old.h": b"", "README.md": b"old"})
NEW = Build.of(NEW_INFO, {"rtl/new.v": b"new", "rtl/both.v": b"2", "sim/cells.v": b"", "README.md": b"new"})
NEW_FILES = ["README.md", "build.json", "rtl/both.v", "rtl/new.v", "sim/cells.v"]


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A directory with the old build, and a file of the user in its work folder."""
    store.write(OLD, tmp_path / "net")
    (tmp_path / "net" / "work" / "nextpnr").mkdir(parents=True)
    (tmp_path / "net" / "work" / "nextpnr" / "board.lpf").write_text("mine")
    return tmp_path / "net"


def test_an_older_build_is_replaced_and_the_work_folder_stays(old: Path) -> None:
    store.write(NEW, old)
    assert store.read(old).digest == NEW.digest
    assert sorted(content(old)) == [*NEW_FILES, "work/nextpnr/board.lpf"]
    assert sorted(os.listdir(old)) == ["README.md", "build.json", "rtl", "sim", "work"], "an empty folder is left"
    assert os.listdir(old.parent) == ["net"]


def add_file(folder: Path) -> None:
    (folder / "board.lpf").write_text("mine")


def add_source(folder: Path) -> None:
    (folder / "rtl" / "mine.v").write_text("mine")


def add_link(folder: Path) -> None:
    (folder / "link").symlink_to("/nowhere")


def add_pipe(folder: Path) -> None:
    os.mkfifo(folder / "rtl" / "pipe")


def edit_file(folder: Path) -> None:
    (folder / "rtl" / "old.v").write_text("edited")


def edit_manifest(folder: Path) -> None:
    text = (folder / "build.json").read_text()
    (folder / "build.json").write_text(text.replace('"name": "old"', '"name": "mine"'))


def link_file(folder: Path) -> None:
    (folder / "rtl" / "old.v").rename(folder.parent / "old.v")
    (folder / "rtl" / "old.v").symlink_to(folder.parent / "old.v")


def link_folder(folder: Path) -> None:
    (folder / "rtl").rename(folder.parent / "rtl")
    (folder / "rtl").symlink_to(folder.parent / "rtl")


@pytest.mark.parametrize(
    ("change", "name", "why"),
    [
        (add_file, "board.lpf", "was not written by an export"),
        (add_source, "rtl/mine.v", "was not written by an export"),
        (add_link, "link", "was not written by an export"),
        (add_pipe, "rtl/pipe", "was not written by an export"),
        (edit_file, "rtl/old.v", "was edited since it was exported"),
        (edit_manifest, "build.json", "was edited since it was exported"),
        (link_file, "rtl/old.v", "was edited since it was exported"),
        (link_folder, "rtl", "was not written by an export"),
    ],
)
def test_what_the_user_added_or_edited_stops_an_export(old: Path, change: object, name: str, why: str) -> None:
    assert callable(change)
    change(old)
    names = sorted(os.listdir(old)), sorted(os.listdir(old / "rtl"))
    with pytest.raises(BundleError) as caught:
        store.write(NEW, old)
    assert str(caught.value).startswith(f"{old / name}: {why}") and "move it into work/ or elsewhere" in str(
        caught.value
    )
    assert (sorted(os.listdir(old)), sorted(os.listdir(old / "rtl"))) == names
    assert (old / "work" / "nextpnr" / "board.lpf").read_text() == "mine"


def test_what_the_user_deleted_is_no_obstacle(old: Path) -> None:
    (old / "rtl" / "old.v").unlink()
    store.write(NEW, old)
    assert store.read(old).digest == NEW.digest


@pytest.mark.parametrize(
    "manifest", ["", "{}", '{"files": {"main.c": ""}}', '{"format": "other", "files": {}}', "[" * 9000, "\0"]
)
def test_a_folder_with_another_tools_manifest(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.c").write_text("mine")
    (tmp_path / "build.json").write_text(manifest)
    before = content(tmp_path)
    with pytest.raises(BundleError, match=r"exists and is not a difflut build \(it has no build\.json of one\)"):
        store.write(NEW, tmp_path)
    assert content(tmp_path) == before


def test_a_manifest_that_names_what_is_outside(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"")
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    store.write(OLD, tmp_path / "net")
    manifest = json.loads((tmp_path / "net" / "build.json").read_text())
    del manifest["digest"]  # as builds of earlier versions
    manifest["files"] |= dict.fromkeys(["../mine", str(tmp_path / "mine"), "work/mine", "rtl/../../mine"], digest)
    manifest["files"] |= dict.fromkeys(["", ".", "a\0", "\ud800", ".difflut-export/x"], digest)
    (tmp_path / "net" / "build.json").write_text(json.dumps(manifest))
    (tmp_path / "net" / "work").mkdir()
    (tmp_path / "net" / "work" / "mine").write_bytes(b"")
    store.write(NEW, tmp_path / "net")
    assert sorted(content(tmp_path)) == ["mine", *[f"net/{name}" for name in NEW_FILES], "net/work/mine"]


def test_a_folder_in_the_place_of_a_file(old: Path) -> None:
    (old / "rtl" / "new.v").mkdir()
    with pytest.raises(BundleError, match=r"rtl/new\.v: is a folder where the export writes a file; move it"):
        store.write(NEW, old)
    assert store.read(old).digest == OLD.digest


def test_a_link_to_a_folder_stays_a_link(old: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("net")
    store.write(NEW, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and store.read(old).digest == NEW.digest


def test_places_that_are_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "dangling", "pipe"):
        with pytest.raises(BundleError, match=f"{name}: exists and is not a difflut build, nor a directory"):
            store.write(NEW, tmp_path / name)
    assert content(tmp_path) == {"file": b"x"} and (tmp_path / "dangling").is_symlink()
    with pytest.raises(BundleError, match="/: exists and is not a difflut build"):
        store.write(NEW, Path("/"))


def test_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    store.write(OLD, Path("."))
    store.write(NEW, Path("."))
    assert sorted(content(tmp_path / "empty")) == NEW_FILES
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"^\.: exists and is not a difflut build"):
        store.write(NEW, Path("."))


def test_the_command_names_the_file_and_exits_with_2(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_source(old)
    status, _, err = run(capsys, "export", "mnist_bitflip_20", "--out", old)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: {old}/rtl/mine.v: was not written by an export")
    assert Build.of(OLD.info, OLD.files).digest == store.digest_of((old / "build.json").read_bytes())


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_full_disk_leaves_the_old_build(old: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    before, calls = content(old.parent), []

    def fail(*arguments: object) -> None:
        calls.append(arguments)
        if failing == "rename" or len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(WriteError, match=r"cannot write .*net: No space left on device; choose a place"):
        store.write(NEW, old)
    fresh = old.parent / "build" / "fresh"
    calls.clear()
    with pytest.raises(WriteError, match=r"cannot write .*fresh: No space left on device; choose a place"):
        store.write(NEW, fresh)
    monkeypatch.undo()
    if failing == "rename":  # the gathered files stay hidden until the next export
        assert store.read(old).digest == OLD.digest
        store.write(NEW, fresh)
        assert STAGING_FOLDER not in os.listdir(fresh)
    else:
        assert content(old.parent) == before and not fresh.parent.exists()


def test_a_read_only_folder_is_noticed_before_anything_changes(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(old)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "rtl")  # root may write anywhere
    with pytest.raises(
        WriteError, match=r"cannot write to .*/rtl: Permission denied; make the build directory writable"
    ):
        store.write(NEW, old)
    assert content(old) == before


CUT = """
import os, sys
from pathlib import Path
from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.export.builds.info import from_bytes

OLD, NEW = (Build.of(from_bytes(info), files) for info, files in ((OLD_MANIFEST, OLD_FILES), (NEW_MANIFEST, NEW_FILES)))

def export_and_die(build, folder, steps):
    # In a process of its own, which ends without any clean-up at the given step.
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = steps
    def counted(function):
        def call(*arguments, **options):
            nonlocal left
            if not left:
                os._exit(9)
            left -= 1
            return function(*arguments, **options)
        return call
    for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync", "open", "scandir"):
        setattr(os, name, counted(getattr(os, name)))
    store.write(build, folder)
    os._exit(0)

seen, steps, done = set(), 0, False
while not done:
    folder = Path(sys.argv[1]) / str(steps)
    store.write(OLD, folder)
    (folder / "work").mkdir()
    (folder / "work" / "mine").write_text("mine")
    done = export_and_die(NEW, folder, steps) == 0
    try:
        seen.add(store.read(folder).info.name)
    except store.BundleError as error:
        assert "an export into it was interrupted before its end; export again, which finishes it" in str(error), error
        seen.add("interrupted")
        # The next export is cut off as well, and the one after it finishes.
        export_and_die(NEW, folder, steps % 7)
    store.write(NEW, folder)
    assert store.read(folder).digest == NEW.digest
    assert (folder / "work" / "mine").read_text() == "mine"
    assert sorted(os.listdir(folder)) == ["README.md", "build.json", "rtl", "sim", "work"], os.listdir(folder)
    steps += 1
print(steps, *sorted(seen))
"""


def test_an_export_killed_at_any_step(tmp_path: Path) -> None:
    program = textwrap.dedent(CUT)
    for name, build in {"OLD": OLD, "NEW": NEW}.items():
        program = program.replace(f"{name}_MANIFEST", repr(build.manifest_bytes))
        program = program.replace(f"{name}_FILES", repr(dict(build.files)))
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps, *seen = done.stdout.split()
    assert int(steps) > 15 and seen == ["interrupted", "new", "old"]


def test_an_edit_between_a_cut_and_the_next_export_is_kept(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        store.write(NEW, old)
    monkeypatch.undo()
    assert (old / EXCHANGE_FOLDER).is_dir()
    (old / "rtl" / "both.v").write_text("mine")
    with pytest.raises(BundleError, match=r"rtl/both\.v: is in the way of an export that was interrupted; move it"):
        store.write(NEW, old)
    assert (old / "rtl" / "both.v").read_text() == "mine"
    (old / "rtl" / "both.v").unlink()
    store.write(NEW, old)
    assert store.read(old).digest == NEW.digest


def test_an_exchange_that_somebody_else_left_stays_in_the_folder(old: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (old / "notes").symlink_to(tmp_path / "home")
    exchange = old / EXCHANGE_FOLDER
    (exchange / "new" / "notes").mkdir(parents=True)
    (exchange / "new" / "notes" / "keys").write_text("theirs")
    (exchange / "new" / "build.json").write_text((old / "build.json").read_text())
    (exchange / "old.json").write_text((old / "build.json").read_text())
    with pytest.raises(BundleError, match=r"notes: is no folder, and the export writes notes/keys; move it elsewhere"):
        store.write(NEW, old)
    assert content(tmp_path / "home") == {}


class Heard(io.StringIO):
    """A standard error that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def flush(self) -> None:
        self.event.set()


def test_an_export_waits_for_a_command_that_uses_the_build(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    monkeypatch.setattr(sys, "stderr", heard)
    exporting = threading.Thread(target=store.write, args=(NEW, old))

    @store.uses_build
    def use(directory: Path) -> str:
        exporting.start()
        assert heard.event.wait(60)
        return store.read(directory).digest

    assert use(old) == OLD.digest
    exporting.join()
    assert heard.getvalue() == f"waiting: another run of difflut is using {old}\n"
    assert store.read(old).digest == NEW.digest


def test_two_exports_at_once(tmp_path: Path) -> None:
    for number in range(5):
        folder = tmp_path / str(number)
        both = [threading.Thread(target=store.write, args=(build, folder)) for build in (OLD, NEW)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert store.read(folder).digest in (OLD.digest, NEW.digest)


def test_a_lock_is_shared_by_readers(tmp_path: Path) -> None:
    with locked(tmp_path, shared=True), locked(tmp_path, shared=True):
        assert os.listdir(tmp_path) == []
