"""Builds with AXI4-Streams: what they hold, that tools accept them, and what the command line refuses."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from axi_builds import MODEL, SHAPES, Signed, axi_build, rtl
from command_line import run as command
from icarus import call
from small_models import fitted
from tools import require_tool, require_verilator
from yosys import run_yosys

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.frames import framing_of, streams_of
from difflut.export.builds.make import make_build
from difflut.export.interfaces.framing import Stream
from difflut.export.interfaces.registers import ADDRESS_BITS
from difflut.sim.toolchain import find_verilator


def write(shape: str, folder: Path) -> list[str]:
    """Write the RTL; its file names."""
    files = rtl(axi_build(shape))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    return sorted(files)


@pytest.mark.parametrize("shape", SHAPES)
def test_tools_accept_the_wrapper(shape: str, tmp_path: Path) -> None:
    require_verilator()
    names = write(shape, tmp_path)
    call(
        find_verilator().executable,
        "--lint-only",
        "-Wall",
        "--language",
        "1364-2001",
        "--top-module",
        "chain",
        *names,
        folder=tmp_path,
    )
    printed = call(require_tool("iverilog"), "-g2001", "-Wall", "-s", "chain", "-o", "x", *names, folder=tmp_path)
    assert not [line for line in printed.splitlines() if "timescale" not in line]
    run_yosys(
        [*(f"read_verilog {name}" for name in names), "hierarchy -check -top chain", "proc", "check -assert"], tmp_path
    )


def test_the_same_model_gives_the_same_bytes_and_the_core_is_that_of_the_plain_interface() -> None:
    first = axi_build("class")
    again = make_build(fitted(Signed()), interface="axi-stream", stream=SHAPES["class"], pipeline="levels")
    assert first.digest == again.digest
    plain = make_build(fitted(Signed()), outputs="class", pipeline="levels")
    files, cores = rtl(plain), rtl(first)
    for name, text in files.items():
        core = name.replace("chain", "chain_core", 1)
        assert re.sub(r"\bchain_core", "chain", cores[core]) == text
    assert plain.info.name == first.info.name == "chain"
    assert plain.info.core == "chain" and first.info.core == "chain_core"


def test_build_json_states_framing_and_registers() -> None:
    made = axi_build("class")
    manifest = json.loads(made.manifest_bytes)
    stream = manifest["axi_stream"]
    assert (stream["width_bits"], stream["output"], stream["credits"]) == (16, "class", 2)
    assert stream["codes"] == {"count": 6, "value_bits": 12, "value_bytes": 2, "beats": 6}
    assert stream["results"] == {"count": 1, "value_bits": 2, "value_bytes": 1, "beats": 1}
    assert framing_of(made.info).latency_cycles == stream["latency_cycles"] == manifest["latency_cycles"] + 3
    registers = {register["name"]: register for register in stream["registers"]}
    offsets = [register["offset"] for register in stream["registers"]]
    assert offsets == list(range(0, 4 * len(offsets), 4)) and offsets[-1] < 1 << ADDRESS_BITS
    assert registers["IDENTITY"]["value"].to_bytes(4, "big") == b"DLUT"
    assert registers["CODE_FORMAT"]["value"] == 12 | 1 << 8
    assert registers["CORE_LATENCY"]["value"] == manifest["latency_cycles"]
    digest = f"{registers['DIGEST_HIGH']['value']:08x}{registers['DIGEST_LOW']['value']:08x}"
    assert stream["core_digest"].startswith(digest)
    lines = [
        f"{hashlib.sha256(text.encode()).hexdigest()}  rtl/{name}\n"
        for name, text in sorted(rtl(made).items())
        if name.startswith("chain_core")
    ]
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == stream["core_digest"]


def test_readme_and_header_name_every_register(tmp_path: Path) -> None:
    made = axi_build("wide")
    readme, header = made.text("README.md"), made.text("sw/chain_registers.h")
    for register in streams_of(made.info).registers:
        assert f"| 0x{register.offset:02x} | {register.name} |" in readme
        assert f"#define CHAIN_{register.name} 0x{register.offset:02x}u" in header
    (tmp_path / "chain_registers.h").write_text(header)
    (tmp_path / "t.c").write_text('#include "chain_registers.h"\nint identity = CHAIN_IDENTITY_VALUE == 0x444c5554u;\n')
    subprocess.run([require_tool("gcc"), "-Wall", "-Werror", "-c", "t.c", "-o", "t.o"], cwd=tmp_path, check=True)
    ports = re.findall(r"(?:input|output) (?:wire|reg) (?:\[\d+:0\] )?(\w+)", made.text("rtl/chain.v"))
    assert all(f".{port}(" in readme for port in ports)


def test_what_does_not_fit_together() -> None:
    model = fitted(Signed())
    with pytest.raises(ConfigError) as caught:
        make_build(model, stream=Stream())
    assert str(caught.value) == "a stream needs the interface 'axi-stream'; got 'plain'"
    with pytest.raises(ConfigError) as caught:
        make_build(model, interface="axi-stream", outputs="top-2")
    assert str(caught.value) == (
        "outputs 'top-2' with interface 'axi-stream': the stream carries scores; choose what it carries with the "
        "stream's output (--stream-output), and leave the outputs out"
    )


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, out = tmp_path / "chain.safetensors", tmp_path / "net"
    fitted(Signed()).save_checkpoint(checkpoint)

    def export(*options: str) -> tuple[int, str, str]:
        return command(capsys, "export", checkpoint, "--model", MODEL, "--out", out, *options)

    stream = ("--interface", "axi-stream", "--stream-width", "16", "--stream-output", "class")
    status, printed, _ = export(*stream, "--pipeline", "levels")
    assert status == 0 and store.read(out).digest == axi_build("class").digest
    assert "AXI4-Stream of 16 bits: 6 beats a frame, 1 a result; last beat in to last beat out 9 cycles" in printed
    for options, message in (
        (("--stream-width", "16"), "a stream needs the interface 'axi-stream'; got 'plain'"),
        (("--interface", "axi"), "unknown interface 'axi'; known: plain, axi-stream"),
        (
            ("--interface", "axi-stream", "--stream-width", "12"),
            "stream width 12: TDATA can be 8, 16, 32, 64, 128, 256 or 512 bits wide",
        ),
        (
            ("--interface", "axi-stream", "--stream-output", "top-2"),
            "stream output 'top-2': expected scores or class",
        ),
    ):
        assert export(*options) == (2, "", f"error: {message}\n")
