"""A build directory: its files in memory, written whole, read back only if nothing was edited.

Torch-free. `build.json` names every other file with its SHA-256 digest; a directory with a missing, edited or extra
file under a listed folder is refused.
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path, PurePosixPath
from typing import Concatenate, ParamSpec, TypeVar

import msgspec

from difflut import reading
from difflut.errors import ConfigError
from difflut.export.builds import design_info, writing
from difflut.export.builds.design_info import DESIGN_FILE, DesignInfo
from difflut.export.builds.info import BuildInfo, from_bytes, to_bytes
from difflut.export.builds.values import ValueRefused, check_file_names, check_hdl, one_line
from difflut.export.builds.writing import EXCHANGE_FOLDER, STAGING_FOLDER, digest_of, write_files
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.rules import check
from difflut.export.circuit.text import from_text
from difflut.export.errors import BundleError
from difflut.files import check_printable
from difflut.locks import locked
from difflut.shown import Brief

MANIFEST, WORK_FOLDER = writing.MANIFEST, writing.WORK_FOLDER
RTL_FOLDER = "rtl/"
# Simulation models of the primitives that the RTL instantiates, where there are any.
MODELS_FOLDER = "sim/"
Options = ParamSpec("Options")
Result = TypeVar("Result")
# The circuit that was emitted, and the one that was traced, before the passes (xz-compressed): what `prove` compares.
NETLIST_FILE = "verify/netlist.txt"
TRACED_FILE = "verify/traced.txt.xz"
# The PyTorch model that was exported.
MODEL_FILE = "verify/model.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class Build(Brief):
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
        digests = {name: digest_of(files[name]) for name in sorted(files)}
        return cls(msgspec.structs.replace(info, files=digests), files)

    @cached_property
    def manifest_bytes(self) -> bytes:
        """`build.json`."""
        return to_bytes(self.info)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `build.json`, and so of everything."""
        return digest_of(self.manifest_bytes)

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
        return _checked(NETLIST_FILE, lambda: self.text(NETLIST_FILE))

    @cached_property
    def traced(self) -> Circuit:
        """What was traced, before the passes."""
        if TRACED_FILE not in self.files:
            raise BundleError(f"{self.info.name}: the build has no {TRACED_FILE}; export again with this version")
        return _checked(TRACED_FILE, lambda: reading.unpack_xz(self.files[TRACED_FILE]).decode())


def _checked(name: str, text: Callable[[], str]) -> Circuit:
    """The circuit in a file of a build, which obeys the rules of circuits."""
    try:
        circuit = from_text(text())
        check(circuit)
    except ValueError as error:  # a NetlistError among them
        raise BundleError(f"{name}: {one_line(error)}; export again") from error
    return circuit


def pack_netlist(text: str) -> bytes:
    """The text form of a netlist, compressed; the same text gives the same bytes."""
    return lzma.compress(text.encode(), format=lzma.FORMAT_XZ, preset=6)


def write(build: Build, directory: Path) -> None:
    """Write a build directory whole. Of what is there, only unedited files of an earlier export are replaced.

    The work folder stays as it is, and a link to a directory stays a link. An export that is cut off leaves the old
    build, the new one, or one that `read` refuses and the next export completes. While a command uses a build, an
    export waits.

    Raises:
        BundleError: the directory holds something else than a build, or files that the user added or edited; or the
            build has names that none may have.
        WriteError: it cannot be written; an existing build is then left as it was.
    """
    check_printable(directory, BundleError)
    try:
        from_bytes(build.manifest_bytes)  # what is written can be read
        check_file_names(build.info.files)
        for name, content in build.files.items():
            check_hdl(name, content)
    except ValueRefused as error:
        raise BundleError(f"{directory}: not written: {error}; give the model another name") from None
    write_files({**build.files, MANIFEST: build.manifest_bytes}, directory)


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


def read(directory: str | os.PathLike[str]) -> Build:
    """Read a build directory and check every digest, and that names and Verilog are such as an export writes.

    Raises:
        BundleError: if it is no build directory, a file is missing, edited or was added, an export was interrupted, or
            a value is none that a build may have; if anything in the directory is a link or no regular file.
    """
    folder = Path(directory)
    check_printable(folder, BundleError)
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such directory; expected one made by `difflut export`")
    if os.path.lexists(folder / EXCHANGE_FOLDER):
        raise BundleError(
            f"{folder}: an export into it was interrupted before its end; export again, which finishes it"
        )
    content = _read_manifest(folder)
    present = _present(folder)
    files: dict[str, bytes] = {}
    try:
        info = from_bytes(content)
        check_file_names(info.files)
        for name, digest in info.files.items():
            files[name] = _read_file(folder / name, digest)
            check_hdl(name, files[name])
    except ValueRefused as error:
        raise BundleError(f"{folder}: {error}; export again") from error.__cause__
    for added in sorted(present - set(files) - {MANIFEST}):
        raise BundleError(f"{folder / added}: is not part of the export; move it elsewhere or into {WORK_FOLDER}/")
    return Build(info, files)


def _read_file(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); export again") from error
    if digest_of(content) != digest:
        raise BundleError(
            f"{path}: differs from what was exported (its digest is not the one in {MANIFEST}); export again instead "
            "of editing the build"
        )
    return content


def _read_manifest(folder: Path) -> bytes:
    path = folder / MANIFEST
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _special(path)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: has no {MANIFEST}; expected a directory made by `difflut export`") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); export again") from error


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


def check_output(option: str, path: Path | None) -> None:
    """Refuse a file or folder inside a build: a build with an added file counts as edited.

    Raises:
        ConfigError: if `path`, the value of `option`, lies in a build directory, and not in its work folder.
    """
    place = path.absolute() if path is not None else Path("/")
    for folder in place.parents:
        if is_build(folder) and place.relative_to(folder).parts[0] != WORK_FOLDER:
            raise ConfigError(
                f"{option} {path}: lies in the build {folder}, which would count as edited; choose a place in its "
                f"{WORK_FOLDER}/ or outside"
            )


def default_directory(name: str) -> Path:
    """Where an export goes if nobody says: build/<name>."""
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ConfigError(f"model name {name!r} cannot be a directory name; give --out")
    return Path("build") / name
