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
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice
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
        files: makes them, by path in the folder.
        refused: whether it must end with status 2.
    """

    label: str
    arguments: Sequence[object]
    files: Callable[[], dict[str, bytes]]
    refused: bool = False


def judged(case: Case, apart: Apart, folder: Path) -> tuple[Outcome, str]:
    """Run a case in an empty folder; what it did, and what is wrong with that in a word, if anything is."""
    for name, content in case.files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    outcome = apart.run(case.arguments, folder)
    fault = outcome.fault
    if fault == "prints control characters" and str(case.arguments[-1]).endswith("/dev/stdout"):
        fault = ""  # a binary file, where it was asked for
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


Make = Callable[[], Any]


def json_mutants(content: Any) -> Iterator[tuple[str, Make]]:
    """A JSON object with each value replaced by each of `VALUES`, dropped, and renamed; made when it is called for."""
    for place in places(content):
        name = ".".join(map(str, place))
        for value in VALUES:
            yield f"{name} = {value!r:.30}", partial(changed, content, place, value)
        yield f"{name} dropped", partial(changed, content, place, None, drop=True)
        if isinstance(place[-1], str):
            for key in ("x\x1b[2J", "\ud800", "x" * 5000, "²", "9" * 5000):
                yield f"{name} renamed {key!r:.20}", partial(changed, content, place, None, key=key)


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


def checkpoint_mutants() -> Iterator[tuple[str, Make, bool]]:
    """What was done, what makes the file, and whether it must be refused."""
    content = checkpoint(True)
    for frozen in (True, False):
        yield from tensor_mutants(checkpoint(frozen))
    length = int.from_bytes(content[:8], "little")
    outer, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header = json.loads(outer["__metadata__"]["difflut"])

    def with_header(text: str) -> bytes:
        return _safetensors({**outer, "__metadata__": {"difflut": text}}, data)

    for label, make in json_mutants(header):
        refused = not label.startswith(("info.", "info = {")) or label.endswith(("= nan", "= inf", "(deep)'"))
        refused &= label not in ("arguments = None", "arguments dropped")  # as of a model that keeps none
        refused &= not label.startswith("input_format.")  # as of a model with another one
        yield f"header {label}", lambda make=make: with_header(json_bytes(make()).decode()), refused
    for label, text in {"no JSON": "x", "empty": "", "deep": "[" * 100_000, "NaN": "NaN", "9": "9" * 9999}.items():
        yield f"header {label}", partial(with_header, text), True
    for label, make in json_mutants(outer):
        yield f"outer {label}", lambda make=make: _safetensors(make(), data), False
    for size in (0, 1, length - 1, length + 1, 1 << 31, 1 << 40, (1 << 64) - 1):
        yield f"header of {size} bytes", partial(bytes.__add__, size.to_bytes(8, "little"), content[8:]), True
    for label, raw in byte_mutants(content, 1):
        yield label, partial(bytes, raw), False


def _safetensors(outer: Any, data: bytes) -> bytes:
    text = json_bytes(outer)
    return len(text).to_bytes(8, "little") + text + data


def tensor_mutants(content: bytes) -> Iterator[tuple[str, Make, bool]]:
    """A checkpoint with each tensor missing, of other types, shapes and values."""
    tensors = load(content)
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]

    def saved(changes: dict[str, Any]) -> bytes:
        both = {**tensors, **changes}
        return save({key: value.contiguous() for key, value in both.items() if value is not None}, metadata)

    kinds = ("float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool")
    for key, value in tensors.items():
        yield f"{key} missing", partial(saved, {key: None}), True
        yield f"{key} called otherwise", partial(saved, {key: None, "x\x1b[2J": value}), True
        for kind in kinds:
            # Tables of parameters may have another width; integers and thresholds may not.
            yield (
                f"{key} {kind}",
                partial(saved, {key: value.to(getattr(torch, kind))}),
                value.dtype != getattr(torch, kind) and not (key.endswith("connections") and kind == "int32"),
            )
        shapes = {"flat": value.flatten(), "more": value[None], "no": value[:0], "half": value[: len(value) // 2]}
        shapes |= {"twice": torch.cat([value, value]), "turned": value.t() if value.ndim == 2 else value[None, None]}
        shapes |= {"number": value.flatten()[0], "narrow": value[..., :-1], "wide": torch.cat([value, value], -1)}
        for name, shaped in shapes.items():
            yield f"{key} {name}", partial(saved, {key: shaped.clone()}), True
        for name, number in (("nan", float("nan")), ("inf", float("inf")), ("-inf", float("-inf"))):
            if value.is_floating_point():
                spoilt = value.clone()
                spoilt.view(-1)[0] = number
                yield f"{key} {name}", partial(saved, {key: spoilt}), True
        if key == "encoder.thresholds":
            yield f"{key} descending", partial(saved, {key: value.flip(1)}), True
        if key.endswith("connections"):
            for number in (-1, 12, 1000, 32767, -32768):
                spoilt = value.clone()
                spoilt.view(-1)[0] = number
                yield f"{key} {number}", partial(saved, {key: spoilt}), True
    yield "one more", partial(saved, {"x\x1b[2J": torch.zeros(3)}), True


def checkpoints(step: int) -> Iterator[Case]:
    """Spoilt checkpoints, each in one of the commands that read one."""
    data = ("--data", "d.npz", "--dataset", "npz")
    lines: list[Sequence[object]] = [
        ("evaluate", "c.safetensors", *MODEL, *data),
        ("evaluate", "c.safetensors", *MODEL, *data, "--json"),
        ("export", "c.safetensors", *MODEL, "--out", "net"),
        ("show", "c.safetensors", *MODEL, "--node", "L1.0"),
        ("trace-input", "c.safetensors", *MODEL, "--image", "0", *data),
    ]
    for number, (label, make, refused) in enumerate(islice(checkpoint_mutants(), 0, None, step)):
        line = lines[number % len(lines)]

        def files(make: Make = make) -> dict[str, bytes]:
            return {"c.safetensors": make(), "d.npz": npz(**data_arrays())}

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
        ("play", "net"),
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


def manifests(step: int) -> Iterator[Case]:
    """Every value of a `build.json` replaced."""
    number = 0
    for kind, build in builds().items():
        lines = readers(kind)
        for label, make in islice(json_mutants(json.loads(build.manifest_bytes)), 0, None, step):
            number += 1
            line = lines[number % len(lines)]

            def files(build: Build = build, make: Make = make, kind: str = kind) -> dict[str, bytes]:
                return {**folder_of(build, content=make()), **_codes(kind)}

            yield Case(f"{line[0]} {kind}: {label}", line, files)
        for label, raw in islice(byte_mutants(build.manifest_bytes, 3), 0, None, step):

            def files(build: Build = build, raw: bytes = raw) -> dict[str, bytes]:
                return {**folder_of(build), "net/build.json": raw}

            yield Case(f"show {kind}: manifest {label}", ("show", "net", "--node", "L1.0"), files)


def netlists(step: int) -> Iterator[Case]:
    """Netlist texts, the description of the design, the stored model: spoilt, with digests that fit."""
    number = 0
    for kind, build in builds().items():
        lines = readers(kind)
        for name, label, make in islice(_parts(build), 0, None, step):
            number += 1
            line = lines[number % len(lines)]

            def files(build: Build = build, name: str = name, make: Make = make, kind: str = kind) -> dict[str, bytes]:
                return {**folder_of(build, {name: make()}), **_codes(kind)}

            yield Case(f"{line[0]} {kind}: {name} {label}", line, files)
        for line in lines:
            yield Case(
                f"{line[0]} {kind}: bomb",
                line,
                lambda build=build, kind=kind: {**folder_of(build, {_TRACED: bomb()}), **_codes(kind)},
                line[0] == "prove",
            )


_TRACED = "verify/traced.txt.xz"


def _parts(build: Build) -> Iterator[tuple[str, str, Make]]:
    """A file of a build, what was done to it, and what makes it."""
    for label, text in text_mutants(build.files["verify/netlist.txt"], 5):
        yield "verify/netlist.txt", label, partial(bytes, text)
    for label, text in text_mutants(lzma.decompress(build.files[_TRACED]), 6):
        yield _TRACED, label, partial(lzma.compress, text, preset=0)
    for label, text in byte_mutants(build.files[_TRACED], 7, 10):
        yield _TRACED, f"packed {label}", partial(bytes, text)
    for label, make in json_mutants(json.loads(build.files["verify/design.json"])):
        yield "verify/design.json", label, lambda make=make: json_bytes(make())
    for label, make, _ in tensor_mutants(build.files["verify/model.safetensors"]):
        yield "verify/model.safetensors", label, make
    rtl = max((name for name in build.files if name.startswith("rtl/")), key=lambda name: len(build.files[name]))
    for label, text in islice(text_mutants(build.files[rtl], 8), 0, None, 5):
        yield rtl, label, partial(bytes, text)


@cache
def bomb() -> bytes:
    """A compressed file of some kilobytes that holds 128 megabytes."""
    packer = lzma.LZMACompressor(preset=0)
    parts = [packer.compress(b"# " + b"x" * 1022 + b"\n" * 1024 * 1023) for _ in range(128)]
    return b"".join([*parts, packer.flush()])


def stored(step: int) -> Iterator[Case]:
    """What earlier runs left in `work/`."""
    build = builds()["plain"]
    digest = build.digest
    ran = {"name": "RTL", "images": 0, "random": 1, "mismatches": 0, "accuracy": None, "first_mismatch": ""}
    verification = {"build": "chain", "digest": digest, "date": "2026-01-01T00:00:00+00:00", "data": "d"}
    verification |= {"simulator": "icarus", "latency_cycles": 3, "waves": None, "steps": [ran], "compared": "score"}
    verification |= {"outputs_sha256": None, "pytorch_accuracy": {"RTL": None}, "ok": True}
    claims = [{"subject": "s", "statement": "s", "verdict": "proved", "detail": "d"}]
    proof = {"build": "chain", "digest": digest, "date": "2026-01-01", "ok": True, "claims": claims}
    kept = {"verify-icarus": verification, "proof": proof, **flow_reports(digest)}
    for name, content in kept.items():
        for label, make in islice(json_mutants(content), 0, None, step):

            def files(name: str = name, make: Make = make) -> dict[str, bytes]:
                return {**folder_of(build), f"net/work/{name}/report.json": json_bytes(make())}

            yield Case(f"report: {name} {label}", ("report", "net"), files)


def flow_reports(digest: str) -> dict[str, dict[str, Any]]:
    """Reports of flows of a build with this digest, by folder."""
    cells = {"luts": 12, "carries": {"CCU2C": 3}, "muxes": 1, "flip_flops": 7}
    made = {"status": "done", "build": "chain", "digest": digest, "date": "2026-01-01T00:00:00+00:00", "command": "c"}
    way = {"delay_ns": 5.0, "routing_ns": 2.0, "source": "a"}
    hop = {"kind": "routing", "delay_ns": 1.0, "source": "a", "sink": "b", "net": "n"}
    clocks = {"clk": {"mhz": 200.0, "path": {**way, "sink": "b", "in_core": True, "hops": [hop]}}}
    sites = {"TRELLIS_COMB": {"used": 1, "available": 2}}
    parts = {"encoder": cells, "stage2": cells}
    return {
        "yosys-ecp5": {
            **made,
            "flow": "yosys",
            "fpga": "ecp5",
            "tools": {"Yosys": "0.70"},
            "total": cells,
            "parts": parts,
            "path": {"delay_ns": 5.0, "cells": {"LUT4": 2}, "fmax_mhz": 200.0},
        },
        "nextpnr-ecp5": {
            **made,
            "flow": "nextpnr",
            "fpga": "ecp5",
            "device": "LFE5U-25F",
            "tools": {"nextpnr": "0.7"},
            "mhz": 180.0,
            "total": cells,
            "shell": 3,
            "best": 0,
            "placements": [{"utilisation": sites, "clocks": clocks}],
        },
        "vivado-xcup": {
            **made,
            "flow": "vivado",
            "fpga": "xcup",
            "device": "xcvu9p",
            "tools": {"vivado": "2024"},
            "mhz": 300.0,
            "timing": {"path": {**way, "destination": "b", "levels": "LUT6=2"}},
            "utilisation": {**cells, "sites": sites},
        },
    }


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


def array_mutants(arrays: dict[str, Any]) -> Iterator[tuple[str, Make, bool]]:
    """A data set with each array spoilt; whether it must be refused where that array is used."""
    members = {name: npy(array) for name, array in arrays.items()}
    bits = [np.bool_, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float16, np.float32, np.float64]

    def archive(name: str, content: Any) -> bytes:
        return zipped({**members, name: content if isinstance(content, bytes) else npy(content)})

    for name, array in arrays.items():
        rest = {key: value for key, value in members.items() if key != name}
        yield f"{name} missing", partial(zipped, rest), True
        for kind in (*bits, np.longdouble, np.complex64, "<M8[s]", "S4", "U4", object, ">i4", ">f8", [("a", "<i4")]):
            # Labels may be whole numbers of any type: heads that give numbers have targets that are floating.
            refused = name.startswith("y") and np.dtype(kind).kind not in "iufb"  # type: ignore[arg-type]
            with suppress(TypeError, ValueError):
                yield f"{name} {kind}", partial(archive, name, array.astype(kind)), refused
        shapes = {"flat": array.reshape(-1), "none": array[:0], "one": array[:1], "number": np.array(3)}
        shapes |= {"half": array[: len(array) // 2], "narrow": array[..., :-1], "turned": np.asfortranarray(array.T)}
        for label, shaped in {**shapes, "more": array[None]}.items():
            yield f"{name} {label}", partial(archive, name, shaped), False
        for number in (-1, 4, 256, 1 << 31, 1 << 62, -(1 << 63)):
            spoilt = array.astype(np.int64)
            spoilt.reshape(-1)[0] = number
            yield f"{name} with {number}", partial(archive, name, spoilt), number != 4 or name[0] == "y"
        for number in (float("nan"), float("inf")):
            spoilt = array.astype(np.float64)
            spoilt.reshape(-1)[0] = number
            yield f"{name} with {number}", partial(archive, name, spoilt), True
        for label, raw in claims():
            yield f"{name} {label}", partial(archive, name, raw), False
    yield "x_test bomb", lambda: zipped({**members, "x_test": _zeros()}, level=1), True


def _zeros() -> bytes:
    """A .npy file that holds what it claims."""
    return claiming("(500000000,)")[:-100] + b"\0" * 500_000_000


def data(step: int) -> Iterator[Case]:
    """Data sets, images, counterexamples."""
    cases = chain(arrays_of_data(), images(), counterexamples(), folders(), resumed())
    yield from islice(cases, 0, None, step)


def arrays_of_data() -> Iterator[Case]:
    """npz files in the commands that read one."""
    source = ("--data", "d.npz", "--dataset", "npz")
    lines: list[Sequence[object]] = [
        ("evaluate", "c.safetensors", *MODEL, *source),
        ("train", MODEL[1], *source, "--validation", "10", "--epochs", "1", "--batch-size", "10", "--out", "c"),
        ("verify", "net", *MODEL, "--simulator", "none", *source),
    ]

    def files(make: Make) -> dict[str, bytes]:
        return {"c.safetensors": checkpoint(True), "d.npz": make(), **folder_of(builds()["plain"])}

    for number, (label, make, refused) in enumerate(array_mutants(data_arrays())):
        line = lines[number % len(lines)]
        used = "test" in label or line[0] == "train" or not label.split()[-1].lstrip("-").isdigit()
        yield Case(f"{line[0]}: {label}", line, partial(files, make), refused and used)
    for label, content in (*byte_mutants(npz(**data_arrays()), 9), *archives()):
        yield Case(f"evaluate: {label}", lines[0], partial(files, partial(bytes, content)))


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
        yield Case(f"image {label}", line, partial(dict, {"c.safetensors": checkpoint(True), "i.npy": content}))
    line = ("trace-input", "mnist_residual_init", "--image", "i.png")
    for label, content in pictures():
        yield Case(f"picture {label}", line, partial(dict, {"i.png": content}))


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
        yield Case(f"replay {label}", line, partial(dict, {**folder_of(builds()["plain"]), "r.npz": content}))


def folders() -> Iterator[Case]:
    """IDX files and CIFAR's."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    small = b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\0\1\2"
    zeros = gzip.compress(b"\0" * 100_000_000, 1)
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
            yield Case(
                f"idx{ending} {label}", ("evaluate", "mnist_residual_init", "--data", "mnist"), partial(dict, files)
            )
    for label, raw in (("bomb", zeros), *byte_mutants(gzip.compress(small), 14, 8)):
        files = {f"mnist/{name}.gz": raw for name in names}
        yield Case(f"gz {label}", ("evaluate", "mnist_residual_init", "--data", "mnist"), partial(dict, files))
    cifar = ("evaluate", "cifar10_conv", "--data", "cifar")
    for label, content in (("empty", b""), ("short", b"x" * 100), ("pickle", b"\x80\x04K\x03.")):
        names = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "data_batch_1")
        yield Case(f"cifar {label}", cifar, partial(dict, {f"cifar/{name}": content for name in names}))
    for label, make, _ in islice(array_mutants(data_arrays()), 0, None, 7):
        for name, file in (("mnist_residual_init", "mnist.npz"), ("cifar10_conv", "cifar10.npz")):

            def made(make: Make = make, file: str = file) -> dict[str, bytes]:
                return {f"m/{file}": make()}

            yield Case(f"{file} {label}", ("evaluate", name, "--data", "m"), made)


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
        run = _Run(model, recipe, Dataset("d", split, split).name, Path(folder) / "c", Processes(), None, None)
        run.history = [{"epoch": 1, "loss": 0.5, "validation_accuracy": 0.5, "seconds": 0.1}]
        run.best = (1, 0.5, model.checkpoint_bytes(frozen=True))
        run.save_state()
        return run.resume_path.read_bytes()


def resumed() -> Iterator[Case]:
    """Resume files of trainings."""
    options = ("--validation", "10", "--epochs", "2", "--batch-size", "10", "--out", "c")
    line = ("train", MODEL[1], "--data", "d.npz", "--dataset", "npz", *options)
    samples = npz(**data_arrays())

    def case(label: str, content: bytes) -> Case:
        return Case(f"resume {label}", line, partial(dict, {"d.npz": samples, "c.resume": content}))

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
    *("encoder," * 500, "%s", "{}", "$x", "auto", "levels", "streaming", "8", "npz", "cifar10"),
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
        "search": [("search", *data, "--out", "new", "--max-luts", "200", "--trials", "1", "--epochs", "1")],
        "evaluate": [("evaluate", "c.safetensors", *MODEL, *data)],
        "estimate": [("estimate", MODEL[1])],
        "import": [("import", "n.npz", "--out", "new", "--input-bits", "8", "--divisor", "255")],
        "export": [("export", "c.safetensors", *MODEL, "--out", "new")],
        "compile": [("compile", "c.safetensors", *MODEL)],
        "verify": [("verify", "net", *MODEL, *data, "--simulator", "none")],
        "prove": [("prove", "net")],
        "synth": [
            ("synth", "net", "--flow", "vivado", "--no-run", "--device", "xcvu9p-flga2104-2-i"),
            ("synth", "net", "--flow", "nextpnr", "--device", "LFE5U-85F"),
            ("synth", "net", *MODEL),
        ],
        "report": [("report", "net")],
        "play": [("play", "net", *data), ("play", "c.safetensors", *MODEL)],
        "show": [("show", "c.safetensors", *MODEL, "--node", "L1.0"), ("show", "net", "--node", "L1.0")],
        "trace-input": [("trace-input", "c.safetensors", *MODEL, "--image", "0", *data)],
    }


def options(step: int) -> Iterator[Case]:
    """Every option and argument of every command with odd values, the rest as in a command line that works."""
    files = {
        "c.safetensors": checkpoint(True),
        "d.npz": npz(**data_arrays()),
        "folder/x": b"x",
        "folder.svg/x": b"x",
        "x.npy": npy(np.zeros(6, np.uint8)),
        "n.npz": npz(
            connections_0=np.zeros((3, 2), np.int64),
            tables_0=np.ones((3, 4), bool),
            thresholds=np.zeros((4, 2)),
            classes=np.array(3),
            tau=np.array(1.0),
        ),
        **folder_of(builds()["plain"]),
    }
    yield from islice(_options(partial(dict, files)), 0, None, step)


def _options(files: Callable[[], dict[str, bytes]]) -> Iterator[Case]:
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


KINDS: dict[str, Callable[[int], Iterator[Case]]] = {
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
    """Run all cases of some kinds, print the first of each fault, and how all ended."""
    for kind, _, step in (name.partition("/") for name in kinds or KINDS):
        count: Counter[str] = Counter()
        seen: set[tuple[str, str]] = set()
        with Apart(seconds=30) as apart:
            for case in KINDS[kind](int(step or 1)):
                with tempfile.TemporaryDirectory() as place:
                    outcome, fault = judged(case, apart, Path(place))
                count[fault or "ends well"] += 1
                detail = _where(outcome.raised) if outcome.raised else f"{outcome.out[-80:]!r} {outcome.err[-200:]!r}"
                if fault and (fault, detail) not in seen:
                    seen.add((fault, detail))
                    print(f"  {fault}: {case.label} | {detail} | {outcome.megabytes:.0f} MB", flush=True)
        print(f"{kind}: {sum(count.values())} runs: {dict(count)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
