"""The LiteX modules of a build, in a system that LiteX makes: registers read and samples classified over its bus."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from axi_builds import axi_build
from convolutions import Plan, Step
from convolutions import made as made_convolution
from tools import require_package, require_tool

from difflut.export.builds import pack_samples, store, unpack_results
from difflut.export.builds.frames import streams_of
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.export.interfaces.framing import Stream

SUPPORT = Path(__file__).parents[2] / "support"
REGION = 0x30000000
TESTBENCH = """\
module testbench;
  reg clk = 0, rst = 1, cyc = 0, we = 0;
  reg [29:0] adr = 0;
  reg [31:0] dat_w = 0, value;
  wire [31:0] dat_r;
  wire ack, err;
  always #1 clk = ~clk;
  soc dut (.sys_clk(clk), .sys_rst(rst), .sim_trace(1'b0), .host_adr(adr), .host_dat_w(dat_w), .host_dat_r(dat_r),
           .host_sel(4'hf), .host_cyc(cyc), .host_stb(cyc), .host_ack(ack), .host_we(we), .host_cti(3'd0),
           .host_bte(2'd0), .host_err(err));
  task transfer(input [31:0] address, input write, input [31:0] data);
    begin
      @(negedge clk) adr = address >> 2; we = write; dat_w = data; cyc = 1;
      @(posedge clk) while (!(ack | err)) @(posedge clk);
      value = err ? 32'hx : dat_r;
      @(negedge clk) cyc = 0;
    end
  endtask
  task wait_for(input [31:0] address);
    begin
      value = 0;
      while (value !== 1) transfer(address, 0, 0);
    end
  endtask
  initial begin
    repeat (4) @(negedge clk);
    rst = 0;
    @(negedge clk);
    STEPS
    $finish;
  end
  initial begin
    #100000 $display("nothing came");
    $finish;
  end
endmodule
"""


def build(kind: str) -> Build:
    if kind == "pixels":
        stack = made_convolution(Plan((2, 4, 3), (Step(2, (3, 3), padding=(1, 1)),), bits=2))
        return make_build(stack, form="streaming", interface="axi-stream", stream=Stream(16, "scores"))
    return axi_build(kind)


def words(beat: np.ndarray) -> list[int]:
    """The 32-bit words of a CSR, the highest at the lowest address."""
    value = int.from_bytes(beat.tobytes(), "little")
    return [value >> 32 * k & 0xFFFFFFFF for k in reversed(range(-(-len(beat) // 4)))]


def steps(made: Build, address: dict[str, int], beats: np.ndarray) -> str:
    """Read all constant registers, then send each frame and read its result, word by word."""
    streams, csr = streams_of(made.info), {name.removeprefix("classifier_"): place for name, place in address.items()}
    found = []
    for register in streams.registers:
        if register.value is not None:
            found += [f"transfer({REGION + register.offset}, 0, 0);", '$display("register %h", value);']
    several = -(-streams.width_bits // 32)
    for frame in beats:
        for beat in frame:
            found.append(f"wait_for({csr['ready']});")
            found += [f"transfer({csr['beat'] + 4 * k}, 1, {word});" for k, word in enumerate(words(beat))]
        for _ in range(streams.results.beats):
            found.append(f"wait_for({csr['available']});")
            for k in range(several):
                found += [f"transfer({csr['result'] + 4 * k}, 0, 0);", '$display("result %h", value);']
            found.append(f"transfer({csr['take']}, 1, 1);")
    return "\n    ".join(found)


def printed(folder: Path, kind: str, samples: int) -> tuple[list[int], list[int], np.ndarray]:
    """The registers, and the words of the results, that the system's bus gave; the codes."""
    require_package("litex", "dev")
    made = build(kind)
    store.write(made, folder / "net")
    codes = np.random.default_rng(0).integers(0, 8, (samples, *made.info.input.shape))
    beats = pack_samples(folder / "net", codes)
    command = [sys.executable, "-B", str(SUPPORT / "litex_soc.py"), str(folder / "net"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bench = TESTBENCH.replace("STEPS", steps(made, json.loads(done.stdout), beats))
    (folder / "testbench.v").write_text(bench, encoding="ascii")
    rtl = [str(path) for path in sorted((folder / "net" / "rtl").glob("*.v"))]
    compile_ = [require_tool("iverilog"), "-g2005", "-Wall", "-Wno-timescale", "-o", "sim.vvp"]
    warned = subprocess.run(
        [*compile_, "testbench.v", "icarus.v", *rtl], cwd=folder, capture_output=True, text=True, check=True
    )
    assert not [line for line in warned.stderr.splitlines() if "Port" in line or "/rtl/" in line]
    ran = subprocess.run([require_tool("vvp"), "-n", "sim.vvp"], cwd=folder, capture_output=True, text=True, check=True)
    lines = [line.split() for line in ran.stdout.splitlines()]
    registers, results = ([int(value, 16) for what, value in lines if what == name] for name in ("register", "result"))
    return registers, results, codes


def check(folder: Path, kind: str, samples: int) -> None:
    registers, results, codes = printed(folder, kind, samples)
    made = build(kind)
    streams = streams_of(made.info)
    assert registers == [register.value for register in streams.registers if register.value is not None]
    several = -(-streams.width_bits // 32)
    octets = [
        sum(word << 32 * k for k, word in enumerate(reversed(results[place : place + several]))).to_bytes(
            4 * several, "little"
        )[: streams.width_bits // 8]
        for place in range(0, len(results), several)
    ]
    beats = np.frombuffer(b"".join(octets), np.uint8).reshape(samples, streams.results.beats, -1)
    right = simulate(made.circuit, codes.reshape(samples, -1))
    expected = right.scores if streams.output == "scores" else right.classes[:, None]
    np.testing.assert_array_equal(unpack_results(folder / "net", beats), expected)


def test_a_system_reads_the_identity_and_classifies(tmp_path: Path) -> None:
    """Twelve beats a sample, four a result, all registers."""
    check(tmp_path, "narrow", 2)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["class", "wide", "one beat", "identity", "none", "pixels"])
def test_every_framing(kind: str, tmp_path: Path) -> None:
    check(tmp_path, kind, 5)


@pytest.mark.parametrize("kind", ["one beat", "none", "pixels"])
def test_the_module_says_what_the_build_says(kind: str) -> None:
    """Without LiteX: all sources, the beats, the constants; no port but those of the circuit."""
    made = build(kind)
    name, streams = made.info.name, streams_of(made.info)
    text = made.text(f"sw/{name}_litex.py")
    compile(text, "module.py", "exec")
    assert [f"rtl/{line.strip()[1:-2]}" for line in text.splitlines() if line.endswith('.v",')] == list(made.rtl)
    assert f"BEATS, RESULT_BEATS = {streams.codes.beats}, {streams.results.beats}\n" in text
    connected = {word.split("=")[0].strip()[2:] for word in text.splitlines() if word.strip()[:2] in ("i_", "o_")}
    head = made.text(f"rtl/{name}.v").split(");", 1)[0]
    assert connected == {line.strip(" ,").split()[-1] for line in head.splitlines() if "put wire" in line}


def test_plain_builds_have_none() -> None:
    made = make_build(made_convolution(Plan((1, 4, 4), (Step(2, (3, 3)),))))
    assert not [name for name in made.files if name.endswith("litex.py")]
