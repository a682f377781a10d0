"""What the forms of `cifar10_conv` take of an FPGA: cells by Yosys, cycles by `build.json`.

    python -m benchmarks.hardware.forms [--form FORM] [--folder build/hardware]

A form is what `difflut export --conv` takes. Nothing is simulated here: `difflut verify` does that. A synthesis whose
sources have not changed is not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.families.registry import find_family
from difflut.export.flows import yosys
from difflut.export.flows.cells import Usage, count_types, usage
from difflut.export.flows.kept_luts import keeps
from difflut.export.schedule.pipelining import AUTO, LEVELS
from difflut.models import get_model

NAME = "cifar10_conv"
FPGA = "xcup"
INTRODUCTION = """
## Forms of a convolutional network

Printed by `python -m benchmarks.hardware.forms`, which is part of `make bench-hw`: [the forms](convolution.md) of
`cifar10_conv`, exported with `--fpga xcup` (and `--pipeline levels` unless the dense part is in memories), in the cells
that Yosys makes of them with the same command. RAM32M16 is
distributed RAM (line buffers), RAMB18E2 and RAMB36E2 are block RAM (bits of maps, connections, tables). The unrolled
form is [a large design](flows.md#large-designs), whose LUTs are counted otherwise; `--form unrolled` prints its row.
"""
FORMS = ("folded=32", "streaming", "folded=1024", "folded=4096")


def make(form: str) -> store.Build:
    """The build of a form."""
    pipeline = AUTO if form in ("folded=1024", "folded=4096") else LEVELS  # a dense part in memories has its own
    return make_build(get_model(NAME, pretrained=True), fpga=FPGA, form=form, pipeline=pipeline)


def cells(build: store.Build, folder: Path) -> Mapping[str, int]:
    """The cells of the flattened design by type, from an earlier run if that was of the same build."""
    work = folder.with_name(folder.name + " synthesis")
    file = work / "cells.json"
    if not file.exists() or json.loads(file.read_text())["digest"] != build.digest:
        store.write(build, folder)
        top = build.info.name
        sources = tuple((folder / name).absolute() for name in build.rtl)
        work.mkdir(exist_ok=True)
        family = find_family(FPGA)
        kept = keeps(family, build.info.netlist.luts)
        flat = yosys.flatten(yosys.find_yosys(), yosys.Design(top, top, sources, (), kept), family, work)
        file.write_text(json.dumps({"digest": build.digest, "cells": count_types(flat, top)}))
        print(f"{folder.name}: synthesised", file=sys.stderr)
    found: Mapping[str, int] = json.loads(file.read_text())["cells"]
    return found


def row(form: str, build: store.Build, counted: Usage) -> str:
    """A row of the table."""
    memories = {kind: count for kind, count in counted.others.items() if kind.startswith("RAM")}
    rest = {kind: count for kind, count in counted.others.items() if kind not in memories}
    if rest:
        raise SystemExit(f"{form}: cells that the table has no place for: {rest}")
    memory = ", ".join(f"{count:,} {kind}" for kind, count in memories.items()) or "none"
    return (
        f"| {form} | {counted.luts:,} | {sum(counted.carries.values()):,} | {counted.flip_flops:,} | {memory} | "
        f"{build.info.initiation_interval:,} | {build.info.latency_cycles:,} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--form", action="append", help="may be repeated; default: " + ", ".join(FORMS))
    parser.add_argument("--folder", type=Path, default=Path("build/hardware"), help="for everything that is made")
    options = parser.parse_args()
    print(INTRODUCTION)
    print(f"| `{NAME}` | LUTs | CARRY8 | FFs | memories | cycles an image | latency |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: |")
    for form in options.form or FORMS:
        build = make(form)
        counted = usage(cells(build, options.folder / NAME / form), find_family(FPGA).cells)
        print(row(form, build, counted), flush=True)


if __name__ == "__main__":
    main()
