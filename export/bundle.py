"""A build directory: its files in memory, written whole, read back only if nothing was edited.

Torch-free. `build.json` names every other file with its SHA-256 digest; a directory with a missing, edited or extra
file under a listed folder is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import Any, Concatenate, ParamSpec, TypeVar

from difflut.errors import ConfigError
from difflut.export import writing
from difflut.export.build_values import ValueRefused, check_build, check_file_names, check_hdl, check_manifest
from difflut.export.errors import BundleError
from difflut.export.writing import EXCHANGE_FOLDER, STAGING_FOLDER, digest_of, write_files
from difflut.locks import locked

FORMAT_VERSION = 1
MANIFEST, FORMAT = writing.MANIFEST, writing.FORMAT
# What tools may add to a build directory; nothing in it is part of the export.
WORK_FOLDER = writing.WORK_FOLDER
Options = ParamSpec("Options")
Result = TypeVar("Result")
# The netlist that was emitted, and the one that was traced, before the passes (xz-compressed): what `prove` compares.
NETLIST_FILE = "verify/netlist.txt"
# The PyTorch model that was exported.
MODEL_FILE = "verify/model.safetensors"
# What a streaming circuit has instead of NETLIST_FILE.
CONVOLUTION_FILE = "verify/convolution.txt"
TRACED_FILE = "verify/traced.txt.xz"


@dataclass(frozen=True)
class Bundle:
    """The content of a build directory.

    Attributes:
        manifest: `build.json` without the digests.
        files: every other file's content by relative path, with forward slashes.
    """

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    def manifest_bytes(self) -> bytes:
        """`build.json`: the manifest and the digest of every file, in a fixed order."""
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **self.manifest,
            "files": {name: digest_of(self.files[name]) for name in sorted(self.files)},
        }
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()

    @property
    def digest(self) -> str:
        """SHA-256 of `build.json`, and so of everything."""
        return digest_of(self.manifest_bytes())

    def text(self, name: str) -> str:
        """A file's content as text.

        Raises:
            BundleError: the build has no such file.
        """
        if name not in self.files:
            form = "a streaming circuit" if "convolution" in self.manifest else "another kind of build"
            raise BundleError(f"{self.manifest['name']}: {form}, without the file {name} that this needs")
        return self.files[name].decode()


def rtl_files(bundle: Bundle) -> list[str]:
    """The Verilog files of the design, in a fixed order."""
    return sorted(name for name in bundle.files if name.startswith("rtl/") and name.endswith(".v"))


def core_name(manifest: Mapping[str, Any]) -> str:
    """The module with the plain interface: the top, or what a wrapper of streams contains."""
    return str(manifest.get("core", manifest["name"]))


def write(bundle: Bundle, directory: Path) -> None:
    """Write a build directory whole. Of what is there, only unedited files of an earlier export are replaced.

    The work folder stays as it is, and a link to a directory stays a link. An export that is cut off leaves the old build, the
    new one, or one that `read` refuses and the next export completes. While a command uses a build, an export waits.

    Raises:
        BundleError: the directory holds something else than a build, or files that the user added or edited; or the build has
            names that none may have.
        WriteError: it cannot be written; an existing build is then left as it was.
    """
    _check_place(directory)
    try:
        check_build(bundle.manifest, bundle.files)
    except ValueRefused as error:
        raise BundleError(f"{directory}: not written: {error}; give the model another name") from None
    write_files({**bundle.files, MANIFEST: bundle.manifest_bytes()}, directory)


def is_build(folder: Path) -> bool:
    """Whether a folder has the manifest of a build, of any version; nothing else of it is checked."""
    try:
        path = folder / MANIFEST
        return path.is_file() and writing.listed_files(path.read_bytes()) is not None
    except OSError:
        return False


def uses_build(
    function: Callable[Concatenate[Path, Options], Result],
) -> Callable[Concatenate[Path, Options], Result]:
    """Decorate a function of a build directory: while it runs, no export replaces the build."""

    @wraps(function)
    def run(directory: Path, /, *args: Options.args, **kwargs: Options.kwargs) -> Result:
        with ExitStack() as held:
            with suppress(OSError):  # of what is no readable directory; the function says so
                held.enter_context(locked(Path(directory), shared=True))
            return function(directory, *args, **kwargs)

    return run


def read(directory: str | os.PathLike[str]) -> Bundle:
    """Read a build directory and check every digest, and that names and Verilog are such as an export writes.

    Raises:
        BundleError: if it is no build directory, a file is missing, edited or was added, an export was interrupted, or a value
            is none that a build may have; if anything in the directory is a link or no regular file.
    """
    folder = Path(directory)
    _check_place(folder)
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such directory; expected one made by `difflut export`")
    if os.path.lexists(folder / EXCHANGE_FOLDER):
        raise BundleError(
            f"{folder}: an export into it was interrupted before its end; export again, which finishes it"
        )
    manifest = _read_manifest(folder)
    present = _present(folder)
    listed: Mapping[str, str] = manifest.pop("files")
    for name in ("format", "format_version"):
        manifest.pop(name)
    files: dict[str, bytes] = {}
    try:
        check_file_names(listed)
        check_manifest(manifest)
        for name, digest in listed.items():
            files[name] = _read_file(folder / name, digest)
            check_hdl(name, files[name])
    except ValueRefused as error:
        raise BundleError(f"{folder}: {error}; export again") from None
    for added in sorted(present - set(files) - {MANIFEST}):
        raise BundleError(f"{folder / added}: is not part of the export; move it elsewhere or into {WORK_FOLDER}/")
    return Bundle(manifest, files)


def _read_file(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); export again") from error
    if digest_of(content) != digest:
        raise BundleError(
            f"{path}: differs from what was exported (its digest is not the one in {MANIFEST}); export again instead of "
            f"editing the build"
        )
    return content


def _check_place(directory: Path) -> None:
    if not str(directory).isprintable():
        raise BundleError(
            f"{str(directory)!r}: has a line end or another character that does not print; choose another directory"
        )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _special(path)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: has no {MANIFEST}; expected a directory made by `difflut export`") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); export again") from error
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != FORMAT
        or not isinstance(manifest.get("files"), dict)
    ):
        raise BundleError(f"{path}: is no difflut build description; expected a directory made by `difflut export`")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path}: build format {manifest.get('format_version')}, this difflut reads {FORMAT_VERSION}; export again"
        )
    return manifest


def _present(folder: Path) -> set[str]:
    """The files outside the work folder, as relative paths; raises BundleError at a link or special file anywhere.

    A link could name any file of the user's, to be read as part of the build or, in the work folder, to be overwritten.
    """
    found = set()
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except FileNotFoundError:
            continue  # a temporary folder of another run, which ended
        except OSError as error:
            raise BundleError(f"{folder}: cannot be listed ({error.strerror}: {error.filename!r})") from error
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if path != folder / STAGING_FOLDER:
                    waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                found.add(path.relative_to(folder).as_posix())
            elif os.path.lexists(path):
                raise _special(path)
    return {name for name in found if PurePosixPath(name).parts[0] != WORK_FOLDER}


def _special(path: Path) -> BundleError:
    kind = "a symbolic link" if path.is_symlink() else "no regular file"
    return BundleError(f"{str(path)!r}: is {kind}, which a build may not hold; remove it, or put a copy there")


def default_directory(name: str) -> Path:
    """Where an export goes if nobody says: build/<name>."""
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ConfigError(f"model name {name!r} cannot be a directory name; give --out")
    return Path("build") / name
