"""Writes a build directory, in place: files of an earlier export are exchanged, all else stays or stops the export.

The new files are gathered in a hidden folder of the directory first. Renaming that folder is the moment of decision:
before it the old build stands, after it only renames are left, and the next export finishes them if this one is cut
off.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from difflut.export.errors import BundleError
from difflut.files import WriteError
from difflut.locks import locked

MANIFEST = "build.json"
FORMAT = "difflut-build"
# What tools may add to a build directory; nothing in it is part of the export.
WORK_FOLDER = "work"
# Where an export gathers its files, and the name of that folder once it is complete and its files take their places.
STAGING_FOLDER = ".difflut-export-partial"
EXCHANGE_FOLDER = ".difflut-export"
# In the exchange folder: the new files, and the manifest of the build whose files they replace.
_NEW, _OLD_MANIFEST = "new", "old.json"
_OWN = (WORK_FOLDER, STAGING_FOLDER, EXCHANGE_FOLDER)


def write_files(files: Mapping[str, bytes], directory: Path) -> None:
    """Write the files of a build, by relative path, the manifest among them; see `store.write`."""
    made: list[Path] = []
    try:
        folder = Path(os.path.realpath(directory))
        if not folder.is_dir() and (folder.exists() or os.path.islink(directory)):
            raise BundleError(f"{directory}: exists and is not a difflut build, nor a directory; choose another --out")
        made = _make(folder)
        with locked(folder):
            _finish_exchange(folder)
            _stage(files, folder, _replaceable(folder, directory))
            os.rename(folder / STAGING_FOLDER, folder / EXCHANGE_FOLDER)
            _finish_exchange(folder)
    except OSError as error:
        if isinstance(error, WriteError | BundleError):
            raise
        raise WriteError(
            f"cannot write {directory}: {error.strerror or error}; choose a place that is writable and has space"
        ) from error
    finally:
        for path in reversed(made):
            with suppress(OSError):  # only where nothing came of it are they empty
                path.rmdir()


def _make(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns the ones that were not there, the uppermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    for path in missing:
        path.mkdir(exist_ok=True)
    return missing


def _replaceable(folder: Path, shown: Path) -> Mapping[str, str]:
    """The files of the build in a folder and their digests; nothing for an empty folder.

    Raises:
        BundleError: it holds what no export wrote, or what was edited since.
    """
    try:
        manifest = (folder / MANIFEST).read_bytes() if (folder / MANIFEST).is_file() else b""
    except OSError as error:
        raise BundleError(f"{shown / MANIFEST}: cannot be read ({error.strerror}); choose another --out") from error
    listed = listed_files(manifest)
    if listed is None:
        if next(_entries(folder), None) is None:
            return {}
        raise BundleError(
            f"{shown}: exists and is not a difflut build (it has no {MANIFEST} of one); choose another --out, or "
            "empty it"
        )
    listed = {**listed, MANIFEST: digest_of(manifest) if _names_its_digest(manifest) else ""}
    for name in sorted(_entries(folder)):
        if name not in listed:
            raise BundleError(
                f"{shown / name}: was not written by an export, which replaces the build; move it into {WORK_FOLDER}/ "
                "or elsewhere"
            )
        if not _is_unedited(folder / name, listed[name]):
            raise BundleError(
                f"{shown / name}: was edited since it was exported; move it into {WORK_FOLDER}/ or elsewhere, or "
                "choose another --out"
            )
    return listed


def listed_files(manifest: bytes) -> Mapping[str, str] | None:
    """The digests in a manifest of ours, of any version; None if it is not one."""
    try:
        content = json.loads(manifest)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("files"), dict):
        return None
    return {name: digest for name, digest in content["files"].items() if _is_plain(name)}


def description_digest(description: Mapping[str, Any]) -> str:
    """The digest that a manifest names: that of its description, without the format, its version and the digest."""
    return hashlib.sha256(msgspec.json.encode(description, order="sorted")).hexdigest()


def _names_its_digest(manifest: bytes) -> bool:
    """Whether a manifest was not edited; one of a version without a digest of its own counts as unedited."""
    content = json.loads(manifest)
    digest = content.pop("digest", None)
    rest = {key: value for key, value in content.items() if key not in ("format", "format_version")}
    try:
        return digest is None or digest == description_digest(rest)
    except UnicodeEncodeError:  # no export wrote such a text
        return False


def _is_plain(name: str) -> bool:
    """Whether a path is one that a file may have, stays in its folder and is no place of ours."""
    path = PurePosixPath(name)
    if not name.isprintable() or not path.parts or str(path) != name:
        return False
    return not path.is_absolute() and ".." not in path.parts and path.parts[0] not in _OWN


def _is_unedited(path: Path, digest: str) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode) and digest_of(path.read_bytes()) == digest
    except OSError:
        return False


def _entries(folder: Path, below: str = "") -> Iterator[str]:
    """Every file, link and special file in a folder, by relative path, without what is in our own folders of its
    root.
    """
    with os.scandir(folder / below) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if not below and entry.name in _OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(folder, f"{name}/")
            else:
                yield name


def _stage(files: Mapping[str, bytes], folder: Path, replaced: Mapping[str, str]) -> None:
    """Gather everything that the exchange needs, and check that it will not fail half-way."""
    staging = folder / STAGING_FOLDER
    if os.path.islink(staging):
        raise BundleError(f"{staging}: is a link that no export made; remove it")
    shutil.rmtree(staging, ignore_errors=True)  # of an export that was cut off
    try:
        for name, content in files.items():
            path = staging / _NEW / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content)
        _write(staging / _OLD_MANIFEST, json.dumps({"format": FORMAT, "files": dict(replaced)}).encode())
        for name in {*files, *replaced}:
            _check_place(folder, PurePosixPath(name))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_place(folder: Path, name: PurePosixPath) -> None:
    """Refuse a file whose place is taken by a folder, or in a folder that cannot be written to."""
    if (folder / name).is_dir():
        raise BundleError(f"{folder / name}: is a folder where the export writes a file; move it elsewhere")
    for parent in [folder / part for part in name.parents]:
        if os.path.lexists(parent):
            if not parent.is_dir() or parent.is_symlink():
                raise BundleError(f"{parent}: is no folder, and the export writes {name}; move it elsewhere")
            if not os.access(parent, os.W_OK | os.X_OK):
                raise WriteError(f"cannot write to {parent}: Permission denied; make the build directory writable")


def _finish_exchange(folder: Path) -> None:
    """Move the files of a complete exchange folder into their places, and remove those of the old build; again after a
    cut.
    """
    exchange = folder / EXCHANGE_FOLDER
    if os.path.islink(exchange):
        raise BundleError(f"{exchange}: is a link that no export made; remove it")
    if not exchange.is_dir():
        return
    new = exchange / _NEW
    names = sorted(_entries(new)) if new.is_dir() and not new.is_symlink() else []
    if MANIFEST in names:
        old = listed_files((exchange / _OLD_MANIFEST).read_bytes()) or {}
        for name in {*names, *old}:  # checked before, but what lies here now may come from somebody else
            _check_place(folder, PurePosixPath(name))
        for name in names:
            if os.path.lexists(folder / name) and not _is_unedited(folder / name, old.get(name, "")):
                raise BundleError(
                    f"{folder / name}: is in the way of an export that was interrupted; move it elsewhere"
                )
        kept = {MANIFEST, *(listed_files((new / MANIFEST).read_bytes()) or {})}
        for name, digest in old.items():
            if name not in kept:
                _remove(folder, name, digest)
        for name in sorted(
            names, key=MANIFEST.__eq__
        ):  # the manifest last: until then the exchange is found unfinished
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / name, folder / name)
    shutil.rmtree(exchange)


def _remove(folder: Path, name: str, digest: str) -> None:
    """Remove a file, unless it was edited, and the folders that are empty without it."""
    if _is_unedited(folder / name, digest):
        (folder / name).unlink()
    for parent in list((folder / name).parents)[: len(PurePosixPath(name).parts) - 1]:
        with suppress(OSError):
            parent.rmdir()


def digest_of(content: bytes) -> str:
    """The SHA-256 digest of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
