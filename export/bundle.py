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
        BundleError: the directory holds something else than a build, or files that the user added or edited.
        WriteError: it cannot be written; an existing build is then left as it was.
    """
    write_files({**bundle.files, MANIFEST: bundle.manifest_bytes()}, directory)


def is_build(folder: Path) -> bool:
    """Whether a folder has the manifest of a build, of any version; nothing else of it is checked."""
    try:
        return writing.listed_files((folder / MANIFEST).read_bytes()) is not None
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
    """Read a build directory and check every digest.

    Raises:
        BundleError: if it is no build directory, or a file is missing, edited or was added, or an export was interrupted.
    """
    folder = Path(directory)
    if os.path.lexists(folder / EXCHANGE_FOLDER):
        raise BundleError(
            f"{folder}: an export into it was interrupted before its end; export again, which finishes it"
        )
    manifest = _read_manifest(folder)
    listed: Mapping[str, str] = manifest.pop("files")
    for name in ("format", "format_version"):
        manifest.pop(name)
    files: dict[str, bytes] = {}
    for name, digest in listed.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise BundleError(f"{folder / MANIFEST}: names the file {name!r} outside the build; export again")
        try:
            files[name] = (folder / path).read_bytes()
        except OSError as error:
            raise BundleError(f"{folder / name}: cannot be read ({error.strerror}); export again") from error
        if digest_of(files[name]) != digest:
            raise BundleError(
                f"{folder / name}: differs from what was exported (its digest is not the one in {MANIFEST}); export again "
                f"instead of editing the build"
            )
    for added in sorted(_present(folder) - set(files) - {MANIFEST}):
        raise BundleError(f"{folder / added}: is not part of the export; move it elsewhere or into {WORK_FOLDER}/")
    return Bundle(manifest, files)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such directory; expected one made by `difflut export`")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: has no {MANIFEST}; expected a directory made by `difflut export`") from error
    except (OSError, ValueError) as error:
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
    found = set()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] not in (WORK_FOLDER, STAGING_FOLDER):
            found.add(relative.as_posix())
    return found


def default_directory(name: str) -> Path:
    """Where an export goes if nobody says: build/<name>."""
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ConfigError(f"model name {name!r} cannot be a directory name; give --out")
    return Path("build") / name
