"""A build directory: its files in memory, written whole, read back only if nothing was edited.

Torch-free. `build.json` names every other file with its SHA-256 digest; a directory with a missing, edited or extra
file under a listed folder is refused.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import msgspec

from difflut.errors import ConfigError
from difflut.export.builds import design_info
from difflut.export.builds.design_info import DESIGN_FILE, DesignInfo
from difflut.export.builds.info import MANIFEST, BuildInfo, from_bytes, to_bytes
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.text import from_text
from difflut.export.errors import BundleError
from difflut.files import WriteError, current_umask

RTL_FOLDER = "rtl/"
# What tools may add to a build directory; nothing in it is part of the export.
WORK_FOLDER = "work"
# The netlist that was emitted, and the one that was traced, before the passes (xz-compressed): what `prove` compares.
NETLIST_FILE = "verify/netlist.txt"
# The PyTorch model that was exported.
MODEL_FILE = "verify/model.safetensors"
TRACED_FILE = "verify/traced.txt.xz"


@dataclass(frozen=True, eq=False)
class Build:
    """The content of a build directory.

    Attributes:
        info: `build.json`.
        files: every other file's content by relative path, with forward slashes.
    """

    info: BuildInfo
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, info: BuildInfo, files: Mapping[str, bytes]) -> Build:
        """A build of these files, whose digests are put into its description."""
        digests = {name: _digest(files[name]) for name in sorted(files)}
        return cls(msgspec.structs.replace(info, files=digests), files)

    @cached_property
    def manifest_bytes(self) -> bytes:
        """`build.json`."""
        return to_bytes(self.info)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `build.json`, and so of everything."""
        return _digest(self.manifest_bytes)

    def text(self, name: str) -> str:
        """A file's content as text.

        Raises:
            BundleError: the build has no such file.
        """
        if name not in self.files:
            raise BundleError(f"{self.info.name}: the build has no {name}; export again with this version")
        return self.files[name].decode()

    @property
    def rtl(self) -> dict[str, str]:
        """The Verilog files of the design, path -> text, in a fixed order."""
        names = sorted(name for name in self.files if name.startswith(RTL_FOLDER) and name.endswith(".v"))
        return {name: self.text(name) for name in names}

    @cached_property
    def design(self) -> DesignInfo:
        """The hierarchy of the core."""
        return design_info.from_bytes(self.text(DESIGN_FILE).encode())

    @cached_property
    def circuit(self) -> Circuit:
        """What was emitted."""
        return from_text(self.text(NETLIST_FILE))

    @cached_property
    def traced(self) -> Circuit:
        """What was traced, before the passes."""
        if TRACED_FILE not in self.files:
            raise BundleError(f"{self.info.name}: the build has no {TRACED_FILE}; export again with this version")
        return from_text(lzma.decompress(self.files[TRACED_FILE]).decode())


def pack_netlist(text: str) -> bytes:
    """The text form of a netlist, compressed; the same text gives the same bytes."""
    return lzma.compress(text.encode(), format=lzma.FORMAT_XZ, preset=6)


def write(build: Build, directory: Path) -> None:
    """Write a build directory whole; an earlier build there is replaced only once the new one is complete.

    Raises:
        BundleError: if the directory holds something else than a build.
        WriteError: if it cannot be written; an existing build is then left as it was.
    """
    directory = Path(os.path.abspath(directory))
    replaced = directory.exists()
    if replaced and not _is_replaceable(directory):
        raise BundleError(
            f"{directory}: exists and is not a difflut build (it has no {MANIFEST}); choose another --out, or empty it"
        )
    temporary: Path | None = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}.", suffix=".partial"))
        new, old = temporary / "new", temporary / "old"
        for name, content in {**build.files, MANIFEST: build.manifest_bytes}.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        new.chmod(0o777 & ~current_umask())
        if replaced:
            directory.rename(old)
        try:
            new.rename(directory)
        except OSError:
            if replaced:
                old.rename(directory)
            raise
    except OSError as error:
        raise WriteError(
            f"cannot write {directory}: {error.strerror or error}; choose a place that is writable and has space"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def read(directory: str | os.PathLike[str]) -> Build:
    """Read a build directory and check every digest.

    Raises:
        BundleError: if it is no build directory, or a file is missing, edited or was added.
    """
    folder = Path(directory)
    info = from_bytes(_read_manifest(folder), folder / MANIFEST)
    files: dict[str, bytes] = {}
    for name, digest in info.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise BundleError(f"{folder / MANIFEST}: names the file {name!r} outside the build; export again")
        try:
            files[name] = (folder / path).read_bytes()
        except OSError as error:
            raise BundleError(f"{folder / name}: cannot be read ({error.strerror}); export again") from error
        if _digest(files[name]) != digest:
            raise BundleError(
                f"{folder / name}: differs from what was exported (its digest is not the one in {MANIFEST}); export again "
                f"instead of editing the build"
            )
    for added in sorted(_present(folder) - set(files) - {MANIFEST}):
        raise BundleError(f"{folder / added}: is not part of the export; move it elsewhere or into {WORK_FOLDER}/")
    return Build(info, files)


def _read_manifest(folder: Path) -> bytes:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such directory; expected one made by `difflut export`")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: has no {MANIFEST}; expected a directory made by `difflut export`") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); export again") from error


def _present(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] != WORK_FOLDER:
            found.add(relative.as_posix())
    return found


def _is_replaceable(directory: Path) -> bool:
    if not directory.is_dir():
        return False
    return (directory / MANIFEST).is_file() or not any(directory.iterdir())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def default_directory(name: str) -> Path:
    """Where an export goes if nobody says: build/<name>."""
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ConfigError(f"model name {name!r} cannot be a directory name; give --out")
    return Path("build") / name
