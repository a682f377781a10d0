"""What an AXI4-Stream wrapper costs: LUTs and flip-flops by part, from Yosys, without the core.

python -m benchmarks.bench_axi --fpga xcup --fpga ecp5 --width 8 --width 64

The wrapper is that of 784 codes of 8 bits and 10 scores of 7 bits around a core of 9 cycles, which is a black box here
and reads every bit of the frame: an upper bound, since a network that reads fewer pixels needs fewer flip-flops at the
end of the deserialiser. `--core-latency`, `--features`, `--classes` and `--score-bits` change that.
"""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path

import click

from difflut.export.families.registry import find_family
from difflut.export.flows import yosys
from difflut.export.interfaces.axi_stream import emit_wrapper
from difflut.export.interfaces.framing import OUTPUTS, REGISTERS, Stream, plan_framing
from difflut.export.interfaces.registers import register_map
from difflut.export.verilog import names

PARTS = ("frames", "results", "registers")
DIGEST = "7c34f0d29b58e61a"  # random, as those of builds are


def measure(
    stream: Stream, fpga: str, folder: Path, *, features: int, classes: int, score_bits: int, latency: int
) -> str:
    """Synthesise one wrapper; a row of the table."""
    scores = stream.output == "scores"
    framing = plan_framing(
        stream,
        features=features,
        code_bits=8,
        results=classes if scores else 1,
        result_bits=score_bits if scores else max(1, (classes - 1).bit_length()),
        core_latency_cycles=latency,
    )
    registers = register_map(
        framing, DIGEST, output=stream.output, signed=False, classes=classes, registers=stream.registers
    )
    files = emit_wrapper("wrapper", "core", "wrapper", framing, stream.output, registers)
    files["core.v"] = (
        "(* blackbox *) module core (input wire clk, input wire rst, input wire in_valid,\n"
        f"    input wire {names.vector(framing.codes.packed_bits)} in_codes, output wire out_valid,\n"
        f"    output wire {names.vector(framing.results.packed_bits)} out_{stream.output});\nendmodule\n"
    )
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    sources = tuple(folder / name for name in sorted(files))
    present = PARTS if registers else PARTS[:-1]
    modules = tuple(f"wrapper_{part}" for part in present)
    report = yosys.run(yosys.Design("wrapper", "wrapper", sources, modules), find_family(fpga), folder / "work")
    parts = " | ".join(f"{report.parts[part].luts} / {report.parts[part].flip_flops}" for part in present)
    parts += "" if registers else " | 0 / 0"
    return (
        f"| {fpga} | {stream.width_bits} | {stream.output} | {stream.registers} | {framing.credits} | {parts} | "
        f"{report.total.luts} | "
        f"{sum(report.total.carries.values())} | {report.total.flip_flops} |"
    )


@click.command()
@click.option("--fpga", "fpgas", multiple=True, default=("xcup", "ecp5"))
@click.option("--width", "widths", multiple=True, type=int, default=(8, 64))
@click.option("--output", "outputs", multiple=True, type=click.Choice(OUTPUTS), default=OUTPUTS)
@click.option("--registers", "sets", multiple=True, type=click.Choice(REGISTERS), default=REGISTERS[-1:])
@click.option("--features", default=784)
@click.option("--classes", default=10)
@click.option("--score-bits", default=7)
@click.option("--core-latency", default=9)
def main(
    fpgas: tuple[str, ...],
    widths: tuple[int, ...],
    outputs: tuple[str, ...],
    sets: tuple[str, ...],
    features: int,
    classes: int,
    score_bits: int,
    core_latency: int,
) -> None:
    """Print a table of LUTs / flip-flops."""
    print(
        "| family | TDATA | result | AXI4-Lite | credits | frames | results | registers | LUTs | "
        "carry cells | flip-flops |\n"
        "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for fpga, width, output, registers in product(fpgas, widths, outputs, sets):
        with tempfile.TemporaryDirectory() as folder:
            row = measure(
                Stream(width, output, registers),
                fpga,
                Path(folder),
                features=features,
                classes=classes,
                score_bits=score_bits,
                latency=core_latency,
            )
        print(row, flush=True)


if __name__ == "__main__":
    main()
