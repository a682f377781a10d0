"""Reading what anybody may have written: sizes are checked before anything is allocated, types before anything is used.

Free of torch. All functions raise `ValueError` alone, whatever is wrong with a content; callers name the file.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt

# What a file may unpack to: so much whatever its size, beyond that so many times its size, and never more than this.
_SMALL_BYTES = 1 << 26
_MOST_TIMES = 200
MOST_BYTES = 1 << 33

_LONGEST_NPY_HEADER = 10_000  # numpy's own limit, which it checks after reading
_NUMBERS, _TEXTS = "biuf", "U"
_Z = 0x10FFFF  # the last character of Unicode


def unpacked_limit(packed_bytes: int) -> int:
    """How many bytes a compressed file of `packed_bytes` may hold."""
    return min(MOST_BYTES, max(_SMALL_BYTES, _MOST_TIMES * packed_bytes))


def unpack_xz(content: bytes) -> bytes:
    """What an xz file of one stream holds."""
    with _told():
        packed = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 28)
        most = unpacked_limit(len(content))
        unpacked = packed.decompress(content, most + 1)
        _check_end(len(unpacked), most, complete=packed.eof)
    return unpacked


def unpack_gzip(content: bytes) -> bytes:
    """What a gzip file holds."""
    with _told(), gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
        most = unpacked_limit(len(content))
        unpacked = packed.read(most + 1)
        _check_end(len(unpacked), most, complete=True)
    return unpacked


def _check_end(size: int, most: int, *, complete: bool) -> None:
    if size > most:
        raise ValueError(f"it unpacks to more than {most} bytes, which a file of its size does not")
    if not complete:
        raise ValueError("it is cut off")


@contextmanager
def utf8_name(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name of a file, for libraries that take no other than UTF-8: its own, else that of a descriptor."""
    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield name


def read_npy(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The array of numbers in a .npy file; objects, records, texts and dates are refused."""
    with _told(), open(path, "rb") as file:
        return _array(file, os.fstat(file.fileno()).st_size)


def read_npz(
    file: str | os.PathLike[str] | IO[bytes], names: Iterable[str], texts: Iterable[str] = ()
) -> dict[str, npt.NDArray[Any]]:
    """Those of the named arrays that an npz file has, as `read_npy` takes them, and of `texts`, which hold text."""
    found = {}
    with _told(), zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        kinds = {**dict.fromkeys(names, _NUMBERS), **dict.fromkeys(texts, _TEXTS)}
        for name, kind in kinds.items():
            member = members.get(f"{name}.npy")
            if member is None:
                continue
            most = unpacked_limit(member.compress_size)
            if member.file_size > most:
                raise ValueError(
                    f"{name} has {member.file_size} bytes, packed into {member.compress_size}; at most {most} expected"
                )
            try:
                with archive.open(member) as content:
                    found[name] = _array(content, member.file_size, kind)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return found


def integers(array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """An array of integers as int64; refused where one does not fit."""
    if array.dtype.kind not in "iu":
        raise ValueError(f"it holds {array.dtype}; integers expected")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"it holds {array.max()}; integers of 63 bits expected")
    return array.astype(np.int64)


def parse_json(content: str | bytes) -> Any:
    """A JSON value as the standard has it (no NaN), with integers of 64 bits and texts that can be encoded: it can be
    written again.
    """
    with _told():
        value = msgspec.json.decode(content)
        msgspec.json.encode(value)
    return value


def _array(file: IO[bytes], size: int, kinds: str = _NUMBERS) -> npt.NDArray[Any]:
    """The array in a .npy file of `size` bytes."""
    start = file.read(8)
    width = {1: "<H", 2: "<I"}.get(start[6] if len(start) == 8 and start[:6] == b"\x93NUMPY" else 0)
    if width is None:
        raise ValueError("no .npy array of version 1 or 2")
    length = file.read(struct.calcsize(width))
    (header_bytes,) = struct.unpack(width, length)
    if header_bytes > _LONGEST_NPY_HEADER:
        raise ValueError(f"its header claims {header_bytes} bytes; at most {_LONGEST_NPY_HEADER} expected")
    header = io.BytesIO(length + file.read(header_bytes))
    parse = np.lib.format.read_array_header_1_0 if start[6] == 1 else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = parse(header)
    if dtype.kind not in kinds:
        expected = "numbers" if kinds == _NUMBERS else "texts (dtype=str)"
        raise ValueError(f"it holds {dtype}; {expected} expected")
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise ValueError(f"its shape is {shape}")
    claimed, there = math.prod(shape) * dtype.itemsize, size - len(start) - len(header.getvalue())
    if claimed != there:
        raise ValueError(f"its shape {shape} of {dtype} takes {claimed} bytes, and it has {there}")
    content = bytearray(claimed)
    if _fill(file, content) != claimed:
        raise ValueError("it is cut off")
    if (
        dtype.kind in _TEXTS
        and np.frombuffer(content, np.dtype("u4").newbyteorder(dtype.byteorder)).max(initial=0) > _Z
    ):
        raise ValueError("it holds characters that there are not")  # numpy would end in a SystemError, and not here
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _fill(file: IO[bytes], content: bytearray) -> int:
    done = 0
    with memoryview(content) as view:
        while piece := file.read(min(1 << 20, len(view) - done)):
            view[done : done + len(piece)] = piece
            done += len(piece)
    return done


@contextmanager
def _told() -> Iterator[None]:
    """Every way in which parsers of the standard library and others refuse a content, as a `ValueError`."""
    try:
        yield
    except ValueError:
        raise
    except (
        OSError,  # gzip's BadGzipFile among them
        EOFError,
        RuntimeError,  # an encrypted member; a RecursionError is one, too
        OverflowError,
        SyntaxError,  # of a header of numpy's, which is a Python literal
        tokenize.TokenError,
        TypeError,
        LookupError,
        MemoryError,  # of deeply nested literals
        NotImplementedError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        msgspec.MsgspecError,
    ) as error:
        raise ValueError(str(error) or type(error).__name__) from error
