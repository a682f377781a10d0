"""Build directories: whole or not at all, and refused once edited."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from small_models import Chain, fitted

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.info import to_bytes
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.errors import BundleError
from difflut.files import WriteError

INFO = msgspec.structs.replace(make_build(fitted(Chain())).info, name="net", core="net")
BUILD = Build.of(INFO, {"rtl/net.v": b"module net;\n", "README.md": "größer\n".encode()})


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_round_trip(tmp_path: Path) -> None:
    folder = tmp_path / "ordner mit ü" / "net"
    store.write(BUILD, folder)
    again = store.read(folder)
    assert again.files == BUILD.files
    assert again.info == BUILD.info
    assert again.digest == BUILD.digest
    assert sorted(content(folder)) == ["README.md", "build.json", "rtl/net.v"]
    assert os.listdir(folder.parent) == ["net"]


def test_manifest_is_readable_json_with_digests(tmp_path: Path) -> None:
    store.write(BUILD, tmp_path / "net")
    manifest = json.loads((tmp_path / "net" / "build.json").read_text())
    assert manifest["format"] == "difflut-build"
    assert list(manifest["files"]) == ["README.md", "rtl/net.v"]
    assert all(len(digest) == 64 for digest in manifest["files"].values())


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WriteError, match=r"cannot write .*net: .*; choose a place that is writable and has space"):
        store.write(BUILD, tmp_path / "file" / "net")


def written(tmp_path: Path) -> Path:
    store.write(BUILD, tmp_path / "net")
    return tmp_path / "net"


def test_edited_file_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "rtl" / "net.v").write_text("module net; // edited\n")
    with pytest.raises(BundleError, match=r"net\.v: differs from what was exported"):
        store.read(folder)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "README.md").unlink()
    with pytest.raises(BundleError, match=r"README\.md: cannot be read \(No such file or directory\); export again"):
        store.read(folder)


def test_added_file_is_refused_outside_work(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "work").mkdir()
    (folder / "work" / "sim.log").write_text("x")
    assert store.read(folder).files == BUILD.files
    (folder / "rtl" / "extra.v").write_text("x")
    with pytest.raises(BundleError, match=r"extra\.v: is not part of the export; move it elsewhere or into work/"):
        store.read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no build.json; expected a directory made by `difflut export`"),
        ("{", "cannot be read"),
        ("[]", "is no difflut build description"),
        ('{"format": "difflut-build", "format_version": 99, "files": {}}', "build format 99, this difflut reads 5"),
        (
            to_bytes(msgspec.structs.replace(INFO, files={"../x": "0" * 64})).decode(),
            "names the file '../x' outside the build",
        ),
    ],
)
def test_bad_manifest(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "build.json").write_text(text)
    with pytest.raises(BundleError) as caught:
        store.read(tmp_path)
    assert message in str(caught.value)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere: no such directory; expected one made by `difflut export`"):
        store.read(tmp_path / "nowhere")


def test_default_directory() -> None:
    assert store.default_directory("net") == Path("build/net")
    with pytest.raises(ConfigError, match="cannot be a directory name; give --out"):
        store.default_directory("../net")
