"""Spoilt files and options: command lines that read them, each of which must end with its result or a message.

    python tests/support/spoilt.py [KIND[/N] ...]

runs all of them, or those of some kinds, of a kind every Nth, and counts how they end. The tests in
`tests/test_security/test_spoilt.py` run a part.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import lzma
import random
import re
import struct
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import torch
from apart import Apart, Outcome
from axi_builds import Signed
from convolutions import Plan, Step
from convolutions import made as made_convolution
from safetensors.torch import load, save
from small_models import Chain, fitted

from difflut.cli import cli
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.interfaces.framing import Stream
from difflut.export.schedule.forms import Folded

MODEL = ("--model", "small_models:Chain")
DEEP = "(deep)"  # stands for a value nested a hundred thousand deep
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 1.5, 1e300, float("nan"), float("inf"), 1 << 24, 1 << 31, 10**12, 1 << 63, 1 << 64),
    *(10**400, "", "x", "\x1b[2J\x1b]0;x\x07", "\ud800", "x" * 5000, "\n", "../x", [], [[]], {}, ["x"], {"x": 1}, DEEP),
)


@dataclass(frozen=True)
class Case:
    """One command line in a folder of its own.

    Attributes:
        label: what was spoilt and how.
        arguments: of `difflut`.
        files: by path in the folder.
        refused: whether it must end with status 2.
    """

    label: str
    arguments: Sequence[object]
    files: dict[str, bytes] = field(default_factory=dict)
    refused: bool = False


def judged(case: Case, apart: Apart, folder: Path) -> tuple[Outcome, str]:
    """Run a case in an empty folder; what it did, and what is wrong with that in a word, if anything is."""
    for name, content in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    outcome = apart.run(case.arguments, folder)
    fault = outcome.fault
    return outcome, fault or ("is taken" if case.refused and outcome.status != 2 else "")


# JSON


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a JSON value; of a list those of its first entry, since they are alike."""
    if place:
        yield place
    entries = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*place, key))


def changed(content: Any, place: tuple[Any, ...], value: Any, *, drop: bool = False, key: str = "") -> Any:
    """A JSON value with another value at a place, without the one there, or with another key for it."""
    result = copy.deepcopy(content)
    inner = result
    for step in place[:-1]:
        inner = inner[step]
    if drop or key:
        old = inner.pop(place[-1])
        if key:
            inner[key] = old
    else:
        inner[place[-1]] = value
    return result


def json_bytes(value: Any) -> bytes:
    """As JSON, with NaN and the like as Python writes them."""
    text = json.dumps(value).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000)
    return text.encode()


def json_mutants(content: Any) -> Iterator[tuple[str, Any]]:
    """A JSON object with each value replaced by each of `VALUES`, dropped, and renamed."""
    for place in places(content):
        name = ".".join(map(str, place))
        for value in VALUES:
            yield f"{name} = {value!r:.30}", changed(content, place, value)
        yield f"{name} dropped", changed(content, place, None, drop=True)
        if isinstance(place[-1], str):
            for key in ("x\x1b[2J", "\ud800", "x" * 5000):
                yield f"{name} renamed {key!r:.20}", changed(content, place, None, key=key)


def text_mutants(content: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """A text with numbers, words and lines replaced, dropped and repeated, and bytes as `byte_mutants`."""
    chance = random.Random(seed)
    lines = content.split(b"\n")
    numbers = [found.span() for found in re.finditer(rb"-?\d+|\b[0-9a-f]{2,}\b", content)]
    for start, end in chance.sample(numbers, min(60, len(numbers))):
        for value in (b"-1", b"999999", b"4294967296", b"9" * 30, b"9" * 5000, b"", b"0"):
            yield f"byte {start} {content[start:end]!r} = {value!r:.20}", content[:start] + value + content[end:]
    for number in chance.sample(range(len(lines)), min(25, len(lines))):
        yield f"line {number} dropped", b"\n".join(lines[:number] + lines[number + 1 :])
        yield f"line {number} twice", b"\n".join(lines[: number + 1] + lines[number:])
        yield f"line {number} \\x1b", b"\n".join([*lines[:number], b"\x1b[2J\x1b]0;x\x07", *lines[number + 1 :]])
    yield from byte_mutants(content, seed)


def byte_mutants(content: bytes, seed: int, count: int = 30) -> Iterator[tuple[str, bytes]]:
    """Bytes cut off, flipped, put in."""
    chance = random.Random(seed)
    for length in {0, 1, 7, 8, 9, len(content) // 2, max(0, len(content) - 1)}:
        yield f"cut to {length}", content[:length]
    for _ in range(count):
        place, byte = chance.randrange(max(1, len(content))), chance.randrange(256)
        yield f"byte {place} = {byte}", content[:place] + bytes([byte]) + content[place + 1 :]
        yield f"byte {place} put in", content[:place] + bytes([byte] * chance.choice((1, 100))) + content[place:]
    for filler in (b"\x00", b"\xff", b"[", b"\x1b[2J"):
        yield f"all {filler!r}", filler * 300_000
    yield "random", chance.randbytes(5000)


# Checkpoints


@cache
def checkpoint(frozen: bool) -> bytes:
    """Of the small model `Chain`."""
    model = fitted(Chain())
    model.info = {
        "data": "made up",
        "best_epoch": 1,
        "test_accuracy": 0.5,
        "test_samples": 3,
        "recipe": {"epochs": 1, "learning_rate": 0.01},
        "history": {"epoch": [1], "loss": [0.5], "validation_accuracy": [0.5]},
    }
    return model.checkpoint_bytes(frozen=frozen)


def checkpoint_mutants() -> Iterator[tuple[str, bytes, bool]]:
    """What was done, the file, and whether it must be refused."""
    content = checkpoint(True)
    for frozen in (True, False):
        yield from tensor_mutants(checkpoint(frozen))
    length = int.from_bytes(content[:8], "little")
    outer, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header = json.loads(outer["__metadata__"]["difflut"])
    for label, mutant in json_mutants(header):
        spoilt = {**outer, "__metadata__": {"difflut": json_bytes(mutant).decode()}}
        yield f"header {label}", _safetensors(spoilt, data), not label.startswith("info.")
    for label, text in (
        ("no JSON", "x"),
        ("empty", ""),
        ("deep", "[" * 100_000),
        ("NaN", "NaN"),
        ("number", "9" * 9999),
    ):
        yield f"header {label}", _safetensors({**outer, "__metadata__": {"difflut": text}}, data), True
    for label, mutant in json_mutants(outer):
        with suppress(UnicodeEncodeError):
            yield f"outer {label}", _safetensors(mutant, data), False
    for size in (0, 1, length - 1, length + 1, 1 << 31, 1 << 40, (1 << 64) - 1):
        yield f"header of {size} bytes", size.to_bytes(8, "little") + content[8:], True
    for label, mutant in byte_mutants(content, 1):
        yield label, mutant, False


def _safetensors(outer: Any, data: bytes) -> bytes:
    text = json_bytes(outer)
    return len(text).to_bytes(8, "little") + text + data


def tensor_mutants(content: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """A checkpoint with each tensor missing, of other types, shapes and values."""
    tensors = load(content)
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]

    def saved(changes: dict[str, Any]) -> bytes:
        both = {**tensors, **changes}
        return save({key: value.contiguous() for key, value in both.items() if value is not None}, metadata)

    kinds = ("float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool")
    for key, value in tensors.items():
        yield f"{key} missing", saved({key: None}), True
        yield f"{key} called otherwise", saved({key: None, "x\x1b[2J": value}), True
        for kind in kinds:
            # Tables of parameters may have another width; integers and thresholds may not.
            yield f"{key} {kind}", saved({key: value.to(getattr(torch, kind))}), value.dtype != getattr(torch, kind)
        shapes = {"flat": value.flatten(), "more": value[None], "no": value[:0], "half": value[: len(value) // 2]}
        shapes |= {"twice": torch.cat([value, value]), "turned": value.t() if value.ndim == 2 else value[None, None]}
        shapes |= {"number": value.flatten()[0], "narrow": value[..., :-1], "wide": torch.cat([value, value], -1)}
        for name, shaped in shapes.items():
            yield f"{key} {name}", saved({key: shaped.clone()}), True
        for name, number in (("nan", float("nan")), ("inf", float("inf")), ("-inf", float("-inf"))):
            if value.is_floating_point():
                spoilt = value.clone()
                spoilt.view(-1)[0] = number
                yield f"{key} {name}", saved({key: spoilt}), True
        if key == "encoder.thresholds":
            yield f"{key} descending", saved({key: value.flip(1)}), True
        if key.endswith("connections"):
            for number in (-1, 12, 1000, 32767, -32768):
                spoilt = value.clone()
                spoilt.view(-1)[0] = number
                yield f"{key} {number}", saved({key: spoilt}), True
    yield "one more", saved({"x\x1b[2J": torch.zeros(3)}), True


def checkpoints() -> Iterator[Case]:
    """Every spoilt checkpoint in one command, some in all that read one."""
    samples = npz(**data_arrays())
    data = ("--data", "d.npz", "--dataset", "npz")
    for number, (label, content, refused) in enumerate(checkpoint_mutants()):
        files = {"c.safetensors": content, "d.npz": samples}
        lines: list[Sequence[object]] = [
            ("evaluate", "c.safetensors", *MODEL, *data, *(["--json"] if number % 2 else [])),
            ("export", "c.safetensors", *MODEL, "--out", "net"),
            ("show", "c.safetensors", *MODEL, "--node", "L1.0"),
            ("trace-input", "c.safetensors", *MODEL, "--image", "0", *data),
            ("evaluate", "c.safetensors", *data),
        ]
        for line in lines if number % 10 == 0 else [lines[number % 2]]:
            yield Case(f"{line[0]}: {label}", line, files, refused)


# Builds


@cache
def builds() -> dict[str, Build]:
    """One small build of each kind, so that together they have every field."""
    model = fitted(Chain())
    model.info = {"data": "made up", "test_accuracy": 0.5}
    stack = made_convolution(Plan((2, 4, 3), (Step(2, (3, 3), padding=(1, 1)),), bits=2))
    return {
        "plain": make_build(model),
        "axi": make_build(fitted(Signed()), interface="axi-stream", stream=Stream(8, "scores")),
        "streaming": make_build(stack, interface="axi-stream", stream=Stream(8, "class"), form="streaming"),
        "folded": make_build(stack, form=Folded(nodes_per_cycle=1)),
    }


def signed(content: dict[str, Any]) -> bytes:
    """A `build.json` that has the digest of its content, whatever that is."""
    own = {key: value for key, value in content.items() if key not in ("format", "format_version", "digest")}
    with suppress(UnicodeEncodeError, ValueError, msgspec.MsgspecError, OverflowError):
        own = json.loads(json_bytes(own)) if DEEP not in str(own) else own
        encoded = msgspec.json.encode(own, order="sorted")
        content = {**content, "digest": hashlib.sha256(encoded).hexdigest()}
    return json_bytes(content)


def folder_of(build: Build, changes: dict[str, bytes] | None = None, content: Any = None) -> dict[str, bytes]:
    """The files of a build below `net/`, some of them changed, with digests that fit."""
    files = {**build.files, **(changes or {})}
    described = json.loads(build.manifest_bytes) if content is None else content
    if changes:
        described = {**described, "files": {name: hashlib.sha256(file).hexdigest() for name, file in files.items()}}
    return {**{f"net/{name}": file for name, file in files.items()}, "net/build.json": signed(described)}


def readers(kind: str) -> list[Sequence[object]]:
    """The command lines that read a build."""
    model = {"plain": MODEL, "axi": ("--model", "axi_builds:Signed")}.get(kind, ())
    lines: list[Sequence[object]] = [
        ("show", "net", "--node", "L1.0"),
        ("prove", "net"),
        ("synth", "net"),
        ("synth", "net", "--flow", "vivado", "--no-run"),
        ("report", "net"),
        ("trace-input", "net", "--image", "codes.npy"),
        ("verify", "net", "--replay", "codes.npz", "--simulator", "icarus"),
    ]
    if model:
        lines.append(("verify", "net", "--random-only", "--simulator", "none", *model))
        lines.append(("verify", "net", "--random-only", "--simulator", "icarus", *model))
    return lines


@cache
def _codes(kind: str) -> dict[str, bytes]:
    features = builds()[kind].circuit.input.features
    return {
        "codes.npy": npy(np.zeros(features, np.int64)),
        "codes.npz": npz(codes=np.zeros((1, features), np.int64), claim=np.array("scores")),
    }


def manifests() -> Iterator[Case]:
    """Every value of a `build.json` replaced."""
    number = 0
    for kind, build in builds().items():
        lines = readers(kind)
        for label, content in json_mutants(json.loads(build.manifest_bytes)):
            number += 1
            line = lines[number % len(lines)]
            yield Case(f"{line[0]} {kind}: {label}", line, {**folder_of(build, content=content), **_codes(kind)})
        for label, raw in byte_mutants(build.manifest_bytes, 3):
            files = {**folder_of(build), "net/build.json": raw}
            yield Case(f"show {kind}: manifest {label}", ("show", "net", "--node", "L1.0"), files)


def netlists() -> Iterator[Case]:
    """Netlist texts, the description of the design, the stored model: spoilt, with digests that fit."""
    number = 0
    for kind, build in builds().items():
        lines = readers(kind)
        traced = lzma.decompress(build.files["verify/traced.txt.xz"])
        spoilt = [("verify/netlist.txt", *each) for each in text_mutants(build.files["verify/netlist.txt"], 5)]
        for label, text in islice(text_mutants(traced, 6), 0, None, 3):
            spoilt.append(("verify/traced.txt.xz", label, lzma.compress(text, preset=0)))
        packed = build.files["verify/traced.txt.xz"]
        spoilt += [("verify/traced.txt.xz", f"packed {label}", raw) for label, raw in byte_mutants(packed, 7, 10)]
        spoilt.append(("verify/traced.txt.xz", "bomb", bomb()))
        design = json.loads(build.files["verify/design.json"])
        for label, content in islice(json_mutants(design), 0, None, 3):
            with suppress(UnicodeEncodeError):
                spoilt.append(("verify/design.json", label, json_bytes(content)))
        for label, raw, _ in islice(tensor_mutants(build.files["verify/model.safetensors"]), 0, None, 5):
            spoilt.append(("verify/model.safetensors", label, raw))
        rtl = max((name for name in build.files if name.startswith("rtl/")), key=lambda name: len(build.files[name]))
        spoilt += [(rtl, *each) for each in islice(text_mutants(build.files[rtl], 8), 0, None, 9)]
        for name, label, raw in spoilt:
            number += 1
            line = lines[number % len(lines)]
            files = {**folder_of(build, {name: raw}), **_codes(kind)}
            yield Case(f"{line[0]} {kind}: {name} {label}", line, files, label == "bomb" and line[0] == "prove")


@cache
def bomb() -> bytes:
    """A compressed file of about a hundred kilobytes that holds a gigabyte."""
    packer = lzma.LZMACompressor(preset=0)
    parts = [packer.compress(b"# " + b"x" * 1022 + b"\n" * 1024 * 1023) for _ in range(1024)]
    return b"".join([*parts, packer.flush()])


def stored() -> Iterator[Case]:
    """What earlier runs left in `work/`."""
    build = builds()["plain"]
    digest = build.digest
    step = {"name": "RTL", "images": 0, "random": 1, "mismatches": 0, "accuracy": None, "first_mismatch": ""}
    verification = {"build": "chain", "digest": digest, "date": "2026-01-01T00:00:00+00:00", "data": "d"}
    verification |= {"simulator": "icarus", "latency_cycles": 3, "waves": None, "steps": [step], "compared": "score"}
    verification |= {"outputs_sha256": None, "pytorch_accuracy": {"RTL": None}, "ok": True}
    claims = [{"subject": "s", "statement": "s", "verdict": "proved", "detail": "d"}]
    proof = {"build": "chain", "digest": digest, "date": "2026-01-01", "ok": True, "claims": claims, "not_covered": []}
    for name, content in (("verify-icarus", verification), ("proof", proof)):
        for label, mutant in json_mutants(content):
            files = {**folder_of(build), f"net/work/{name}/report.json": json_bytes(mutant)}
            yield Case(f"report: {name} {label}", ("report", "net"), files)


# Arrays


def npy(array: Any) -> bytes:
    """As a .npy file; objects are pickled."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def npz(**arrays: Any) -> bytes:
    """As a .npz file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def data_arrays() -> dict[str, Any]:
    """A data set for `Chain`: codes of six features, four classes."""
    chance = np.random.default_rng(0)
    codes = chance.integers(0, 256, (60, 6)).astype(np.uint8)
    labels = (np.arange(60) % 4).astype(np.int64)
    return {"x_train": codes, "y_train": labels, "x_test": codes[:20], "y_test": labels[:20]}


def claiming(shape: str, kind: str = "'|u1'", order: str = "False") -> bytes:
    """A .npy file of a few bytes whose header claims a shape."""
    header = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 100


def claims() -> Iterator[tuple[str, bytes]]:
    """Such files."""
    for shape in ("(1099511627776,)", "(1 << 62,)", "(9223372036854775807,)", "(4294967296, 4294967296)", "(-1,)"):
        yield f"shape {shape}", claiming(shape)
    for shape in ("(1000000000,)", "()", "(0,)", "(3, 0)", "None", "(True,)", "(1.5,)", "((1,),)", f"({'1,' * 65})"):
        yield f"shape {shape:.30}", claiming(shape)
    for kind in (
        "'|O'",
        "'<c16'",
        "'<M8[s]'",
        "'|V9'",
        "'<U9'",
        "[('a', '<i4')]",
        "'x'",
        "3",
        "'|S99999999999'",
        "'<f2'",
    ):
        yield f"type {kind}", claiming("(6,)", kind)
    yield "header of zeros", b"\x93NUMPY\x02\x00" + struct.pack("<I", 4_000_000_000) + b"\0" * 10
    yield "deep header", b"\x93NUMPY\x02\x00" + struct.pack("<I", 200_000) + b"(" * 200_000


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, level: int | None = None) -> bytes:
    """A .npz file of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method, compresslevel=level) as archive:
        for name, member in members.items():
            archive.writestr(f"{name}.npy", member)
    return content.getvalue()


def array_mutants(arrays: dict[str, Any]) -> Iterator[tuple[str, bytes, bool]]:
    """A data set with each array spoilt; whether it must be refused."""
    members = {name: npy(array) for name, array in arrays.items()}
    bits = [np.bool_, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16, np.float32, np.float64]
    for name, array in arrays.items():
        yield f"{name} missing", zipped({key: value for key, value in members.items() if key != name}), True
        for kind in (*bits, np.longdouble, np.complex64, "<M8[s]", "S4", "U4", object, ">i4", ">f8", [("a", "<i4")]):
            refused = name.startswith("y") and np.dtype(kind).kind not in "iu"
            with suppress(TypeError, ValueError):
                yield f"{name} {kind}", zipped({**members, name: npy(array.astype(kind))}), refused
        shapes = {
            "flat": array.reshape(-1),
            "none": array[:0],
            "one": array[:1],
            "number": np.array(3),
            "more": array[None],
        }
        shapes |= {"half": array[: len(array) // 2], "narrow": array[..., :-1], "turned": np.asfortranarray(array.T)}
        for label, shaped in shapes.items():
            yield f"{name} {label}", zipped({**members, name: npy(shaped)}), False
        for number in (-1, 4, 255, 256, 1 << 31, 1 << 62, -(1 << 63)):
            spoilt = array.astype(np.int64)
            spoilt.reshape(-1)[0] = number
            refused = (number != 4 and not (number == 255 and name[0] == "x")) or name == "y_test"
            yield f"{name} with {number}", zipped({**members, name: npy(spoilt)}), refused
        for number in (float("nan"), float("inf"), 1e300):
            spoilt = array.astype(np.float64)
            spoilt.reshape(-1)[0] = number
            yield f"{name} with {number}", zipped({**members, name: npy(spoilt)}), number != 1e300
        for label, raw in claims():
            yield f"{name} {label}", zipped({**members, name: raw}), False
    bomb = claiming("(1000000000,)")[:-100] + b"\0" * 1_000_000_000
    yield "x_test bomb", zipped({**members, "x_test": bomb}, level=1), False


def data() -> Iterator[Case]:
    """Data sets, images, counterexamples."""
    trained = ("--validation", "10", "--epochs", "1", "--batch-size", "10", "--out", "c")
    for number, (label, content, refused) in enumerate(array_mutants(data_arrays())):
        lines: list[Sequence[object]] = [("evaluate", "c.safetensors", *MODEL, "--data", "d.npz", "--dataset", "npz")]
        if number % 3 == 0 or "bomb" in label:
            lines.append(("train", MODEL[1], "--data", "d.npz", "--dataset", "npz", *trained))
        if number % 3 == 1:
            lines.append(("verify", "net", *MODEL, "--simulator", "none", "--data", "d.npz", "--dataset", "npz"))
        for line in lines:
            files = {"c.safetensors": checkpoint(True), "d.npz": content}
            if line[0] == "verify":
                files |= folder_of(builds()["plain"])
            yield Case(f"{line[0]}: {label}", line, files, refused)
    good = npz(**data_arrays())
    evaluate = ("evaluate", "c.safetensors", *MODEL, "--data", "d.npz", "--dataset", "npz")
    for label, content in (*byte_mutants(good, 9), *archives()):
        yield Case(f"evaluate: {label}", evaluate, {"c.safetensors": checkpoint(True), "d.npz": content})
    yield from images()
    yield from counterexamples()
    yield from folders()
    yield from resumed()


def archives() -> Iterator[tuple[str, bytes]]:
    """npz files that are odd as zip files."""
    members = {name: npy(array) for name, array in data_arrays().items()}
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED):
        yield f"method {method}", zipped(members, method)
    good = zipped(members)
    for found in list(re.finditer(rb"PK\x01\x02|PK\x03\x04", good))[:6]:
        start = found.start()
        for place in range(start + 4, start + 40, 2):
            yield f"zip field {place}", good[:place] + b"\xff\xff" + good[place + 2 :]
            yield f"zip field {place} odd", good[:place] + b"\x09\x00" + good[place + 2 :]
    yield "npy instead", npy(np.zeros(3))
    yield "pickle instead", b"\x80\x04K\x03."


def images() -> Iterator[Case]:
    """Single samples for `trace-input`."""
    line = ("trace-input", "c.safetensors", *MODEL, "--image", "i.npy")
    good = npy(np.zeros(6, np.uint8))
    arrays = [np.full(6, number) for number in (-1, 256, 1 << 31, 1 << 62, -(1 << 63), np.nan, np.inf, 1e300)]
    arrays += [np.zeros(6, kind) for kind in ("bool", "f2", "f16", "c16", "S3", "M8[s]", "O", ">i8", "u8")]
    arrays += [np.array(2**64 - 1, np.uint64), np.zeros((6, 0)), np.zeros(7), np.full(6, 2**64 - 1, np.uint64)]
    spoilt = [(f"{array.dtype} {array.shape} {array.reshape(-1)[:1]}", npy(array)) for array in arrays]
    for label, content in (*spoilt, *claims(), *byte_mutants(good, 10), ("zip", npz(a=np.zeros(6)))):
        yield Case(f"image {label}", line, {"c.safetensors": checkpoint(True), "i.npy": content})
    line = ("trace-input", "mnist_residual_init", "--image", "i.png")
    for label, content in pictures():
        yield Case(f"picture {label}", line, {"i.png": content})


def picture(width: int, height: int, rows: bytes, kind: int = 0, depth: int = 8) -> bytes:
    """A PNG file with a header that says so, and these compressed rows."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pictures() -> Iterator[tuple[str, bytes]]:
    """Spoilt PNG files."""
    good = picture(28, 28, zlib.compress(b"\0" * 29 * 28))
    for size in ((30_000, 30_000), (1 << 31, 1), ((1 << 31) - 1, (1 << 31) - 1), (0, 0), (28, 27), (9000, 9000)):
        yield f"of {size}", picture(*size, zlib.compress(b"\0" * 1000))
    for kind, depth in ((3, 8), (9, 8), (0, 16), (0, 99), (6, 8), (2, 8)):
        yield f"kind {kind} {depth}", picture(28, 28, zlib.compress(b"\0" * 29 * 28 * 8), kind, depth)
    yield "bomb", picture(20_000, 20_000, zlib.compress(b"\0" * 20_001 * 20_000))
    yield from byte_mutants(good, 11, 15)


def counterexamples() -> Iterator[Case]:
    """What `verify --replay` reads."""
    line = ("verify", "net", "--replay", "r.npz", "--simulator", "icarus")
    arrays = [np.full((1, 6), number) for number in (-1, 256, 1 << 31, 1 << 62, 1.5)]
    arrays += [np.zeros(shape, np.int64) for shape in ((6,), (0, 6), (1, 7), (2, 6), (1, 0))]
    arrays += [np.full((1, 6), 2**64 - 1, np.uint64)]
    contents = [(f"{array.dtype} {array.shape} {array.reshape(-1)[:1]}", npz(codes=array)) for array in arrays]
    contents += [(f"codes {label}", zipped({"codes": raw})) for label, raw in claims()]
    contents += [*byte_mutants(npz(codes=np.zeros((1, 6), np.int64)), 12, 15), ("other", npz(x=np.zeros(3)))]
    for label, content in contents:
        yield Case(f"replay {label}", line, {**folder_of(builds()["plain"]), "r.npz": content})


def folders() -> Iterator[Case]:
    """IDX files and CIFAR's."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    small = b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\0\1\2"
    zeros = gzip.compress(b"\0" * 400_000_000, 1)
    contents = {
        **dict(byte_mutants(small, 13, 8)),
        "small": small,
        "claims": b"\0\0\x08\x04" + struct.pack(">IIII", *[0xFFFFFFFF] * 4),
        "many dimensions": b"\0\0\x08\xff" + b"\1" * 2000,
        "wide": b"\0\0\x0e\x01" + struct.pack(">I", 3) + b"\0" * 24,
    }
    for label, content in contents.items():
        for ending, raw in (("", content), (".gz", gzip.compress(content))):
            files = {f"mnist/{name}{ending}": raw for name in names}
            yield Case(f"idx{ending} {label}", ("evaluate", "mnist_residual_init", "--data", "mnist"), files)
    for label, raw in (("bomb", zeros), *byte_mutants(gzip.compress(small), 14, 8)):
        files = {f"mnist/{name}.gz": raw for name in names}
        yield Case(f"gz {label}", ("evaluate", "mnist_residual_init", "--data", "mnist"), files)
    cifar = ("evaluate", "cifar10_conv", "--data", "cifar")
    for label, content in (("empty", b""), ("short", b"x" * 100), ("pickle", b"\x80\x04K\x03.")):
        names = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "data_batch_1")
        yield Case(f"cifar {label}", cifar, {f"cifar/{name}": content for name in names})
    for label, content, _ in islice(array_mutants(data_arrays()), 0, None, 7):
        yield Case(f"mnist.npz {label}", ("evaluate", "mnist_residual_init", "--data", "m"), {"m/mnist.npz": content})
        yield Case(f"cifar10.npz {label}", ("evaluate", "cifar10_conv", "--data", "m"), {"m/cifar10.npz": content})


@cache
def resume_file() -> bytes:
    """What a training of `Chain` on `data_arrays` leaves after an epoch."""
    from difflut.data import Dataset, Split
    from difflut.training.processes import Processes
    from difflut.training.recipes import Recipe
    from difflut.training.trainer import _Run

    recipe = Recipe(epochs=2, batch_size=10, validation=10)
    model = Chain()
    arrays = data_arrays()
    split = Split(torch.from_numpy(arrays["x_train"]), torch.from_numpy(arrays["y_train"]))
    model.fit_encoder(split.x)
    model.train()
    with tempfile.TemporaryDirectory() as folder:
        run = _Run(model, recipe, Dataset("d", split, split).name, Path(folder) / "c", Processes())
        run.history = [{"epoch": 1, "loss": 0.5, "validation_accuracy": 0.5, "seconds": 0.1}]
        run.best = (1, 0.5, model.checkpoint_bytes(frozen=True))
        run.save()
        return run.resume_path.read_bytes()


def resumed() -> Iterator[Case]:
    """Resume files of trainings."""
    options = ("--validation", "10", "--epochs", "2", "--batch-size", "10", "--out", "c")
    line = ("train", MODEL[1], "--data", "d.npz", "--dataset", "npz", *options)
    samples = npz(**data_arrays())

    def case(label: str, content: bytes) -> Case:
        return Case(f"resume {label}", line, {"d.npz": samples, "c.resume": content})

    for label, content in (("good", resume_file()), *byte_mutants(resume_file(), 15, 20)):
        yield case(label, content)
    state = torch.load(io.BytesIO(resume_file()), weights_only=True)
    wrong = (None, True, -1, 1e300, float("nan"), "x\x1b[2J", [], {}, [{}], torch.zeros(3), torch.tensor(1))
    for key in [*state, "parameters.encoder.thresholds", "history.0.loss", "optimizer.state"]:
        outer, _, inner = key.partition(".")
        for value in wrong:
            spoilt = copy.deepcopy(state)
            if outer == "history" and inner:
                spoilt["history"][0]["loss"] = value
            elif inner:
                spoilt[outer][inner] = value
            else:
                spoilt[outer] = value
            content = io.BytesIO()
            torch.save(spoilt, content)
            yield case(f"{key} = {value!r:.20}", content.getvalue())


# Options

NUMBERS = (
    *("-1", "0", "1", "7", "2147483648", str(1 << 63), str(1 << 64), str(-(1 << 64)), "9" * 400, "9" * 5000, "1e3"),
    *("nan", "inf", "-inf", "1e-320", "1e308", "1e400", "0.5", "-0", "0x10", "", "x", "٣", "1_0", " 1"),
)
TEXTS = (
    *("", "x", "x" * 300, "x" * 5000, "x\ny", "x\x1b[2J\x1b]0;y\x07", "..", "/", "-", "--", "a/b", "x y", 'x"y', "x'y"),
    *("größe", "x\udcffy", "x:y", ":", "x:", "os:path", "math:pi", "a.b.c:D", "levels,", "1,2,3", "top-0", "top-99999"),
    *(
        "top-" + "9" * 5000,
        "folded=0",
        "folded=" + "9" * 5000,
        "folded=-1",
        "folded=nan",
        "L1.0",
        "L0.0",
        "L9.9",
        "[",
        "*",
    ),
    *("encoder," * 3000, "%s", "{}", "$x", "auto", "levels", "streaming", "8", "npz", "cifar10"),
)
PATHS = (
    *("", ".", "..", "/", "/dev/null", "/dev/full", "/proc/self/mem", "no/such/x", "x" * 300, "a/" * 3000, "x\udcffy"),
    *("x\ny", "x\x1b[2J", "net", "net/x", "net/build.json", "net/work", "d.npz", "c.safetensors", "folder", "x.svg"),
    *("folder/x", "x.png", "x.npy", "-", "~", "größe x'\"$.svg", "net/work/x", "none/", "folder.svg", "/dev/stdout"),
)


def bases() -> dict[str, list[Sequence[object]]]:
    """Command lines that work, quickly, by command."""
    data = ("--data", "d.npz", "--dataset", "npz")
    train = ("train", MODEL[1], *data, "--out", "new", "--epochs", "1", "--batch-size", "10", "--validation", "10")
    return {
        "list": [("list",)],
        "train": [train],
        "evaluate": [("evaluate", "c.safetensors", *MODEL, *data)],
        "export": [("export", "c.safetensors", *MODEL, "--out", "new")],
        "verify": [("verify", "net", *MODEL, *data, "--simulator", "none")],
        "prove": [("prove", "net")],
        "synth": [
            ("synth", "net", "--flow", "vivado", "--no-run", "--device", "xcvu9p-flga2104-2-i"),
            ("synth", "net", "--flow", "nextpnr", "--device", "LFE5U-85F"),
            ("synth", "net", *MODEL),
        ],
        "report": [("report", "net")],
        "show": [("show", "c.safetensors", *MODEL, "--node", "L1.0"), ("show", "net", "--node", "L1.0")],
        "trace-input": [("trace-input", "c.safetensors", *MODEL, "--image", "0", *data)],
    }


def options() -> Iterator[Case]:
    """Every option and argument of every command with odd values, the rest as in a command line that works."""
    files = {
        "c.safetensors": checkpoint(True),
        "d.npz": npz(**data_arrays()),
        "folder/x": b"x",
        "folder.svg/x": b"x",
        "x.npy": npy(np.zeros(6, np.uint8)),
        **folder_of(builds()["plain"]),
    }
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for base in bases()[name]:
            for parameter in command.params:
                for label, line in _with(base, parameter):
                    yield Case(f"{name}: {label}", line, files)


def _with(base: Sequence[object], parameter: click.Parameter) -> Iterator[tuple[str, Sequence[object]]]:
    if isinstance(parameter, click.Option) and parameter.is_flag:
        for flag in (*parameter.opts, *parameter.secondary_opts):
            yield flag, (*base, flag)
            yield f"{flag}=x", (*base, f"{flag}=x")
        return
    kind = parameter.type
    values: Sequence[str] = TEXTS
    if isinstance(kind, click.Path) or parameter.name in ("source", "image"):
        values = PATHS + (TEXTS if parameter.name in ("source", "image") else ())
    elif isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        values = NUMBERS
    elif isinstance(kind, click.Choice):
        values = (*kind.choices, "", "x\x1b[2J")
    for value in values:
        if isinstance(parameter, click.Option):
            yield f"{parameter.opts[0]} {value!r:.40}", (*base, f"{parameter.opts[0]}={value}")
        else:
            yield f"{parameter.name} {value!r:.40}", (base[0], *base[2:], "--", value)


KINDS: dict[str, Callable[[], Iterator[Case]]] = {
    "options": options,
    "checkpoints": checkpoints,
    "manifests": manifests,
    "netlists": netlists,
    "stored": stored,
    "data": data,
}


def _where(raised: str) -> str:
    """The last place in our code, and the exception."""
    ours = re.findall(r'File ".*?/((?:difflut|export|sim)/[^"]*)", line (\d+)', raised)
    place = ":".join(ours[-1]) if ours else "?"
    return f"{place} {raised.strip().splitlines()[-1][:100] if raised else ''}"


def main(kinds: Sequence[str]) -> None:
    """Run all cases of some kinds and print how they ended."""
    for kind, _, step in (name.partition("/") for name in kinds or KINDS):
        count: Counter[str] = Counter()
        shown: dict[tuple[str, str], tuple[int, str]] = {}
        with Apart(seconds=30) as apart:
            for case in islice(KINDS[kind](), 0, None, int(step or 1)):
                with tempfile.TemporaryDirectory() as place:
                    outcome, fault = judged(case, apart, Path(place))
                count[fault or "ends well"] += 1
                if fault:
                    detail = _where(outcome.raised) or outcome.err[-150:]
                    detail = detail if outcome.raised else f"{outcome.out[-80:]!r} {outcome.err[-200:]!r}"
                    key = (fault, detail if outcome.raised else case.label)
                    times, first = shown.get(key, (0, f"{case.label} | {detail} | {outcome.megabytes:.0f} MB"))
                    shown[key] = (times + 1, first)
        print(f"{kind}: {sum(count.values())} runs: {dict(count)}", flush=True)
        for (fault, _), (times, first) in sorted(shown.items()):
            print(f"  {times:>4} {fault}: {first}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
