"""dwn2rtl's circuit of one of our models: the same tables, connections and thresholds, written by the PyPI package.

Nothing of dwn2rtl is part of this repository: the package is installed into a folder of its own and run there by
`dwn2rtl build`. It reads {'config', 'state_dict', 'thermometer'} files, which `checkpoint` makes of a model.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.models import BaseModel, MNISTFullyConnected

VERSION = "0.3.0"
TOP = "dwn_top"


def install(folder: Path) -> Path:
    """The folder with the package; it is fetched by pip unless it is there."""
    if not (folder / f"dwn2rtl-{VERSION}.dist-info").is_dir():
        # Without its dependencies: numpy and torch are the ones that run this.
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, f"dwn2rtl=={VERSION}"], check=True)
    return folder


def integer_thresholds(model: BaseModel) -> npt.NDArray[np.int64]:
    """int64 (features, bits): the largest code that is not above each threshold, so that the bit is
    `code > integer`.
    """
    codes = model.input_format.all_codes()
    above = model.input_format.values(codes)[:, None, None] > model.encoder.thresholds[None]
    lowest_above = np.where(above.any(0).numpy(), above.int().argmax(0).numpy(), len(codes))
    return np.asarray(lowest_above - 1 + int(codes[0]), np.int64)


def checkpoint(model: MNISTFullyConnected) -> dict[str, Any]:
    """A file's content for `dwn2rtl build`; with `--input-bits` of our input's width its codes are our codes."""
    layers = [layer for _, layer in model.lut_layers()]
    scale = 1 << model.input_format.width_bits
    tensors = {}
    for i, layer in enumerate(layers):
        tensors[f"{i}.luts"] = torch.where(layer.truth_tables(), 1.0, -1.0)
        tensors[f"{i}.mapping"] = layer.connections.clone()
    return {
        "config": {
            "n": model.n,
            "num_classes": model.num_classes,
            "layers": [layer.out_width for layer in layers],
            "thermometer_bits": model.encoder.bits,
        },
        "state_dict": tensors,
        "thermometer": {"thresholds": torch.from_numpy(integer_thresholds(model) / scale).float()},
        "run_name": model.name,
    }


def build(model: MNISTFullyConnected, folder: Path, package: Path) -> list[Path]:
    """Write dwn2rtl's design of `model` into `folder` and return its sources."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "checkpoint.pt"
    torch.save(checkpoint(model), file)
    bits = str(model.input_format.width_bits)
    command = [sys.executable, "-m", "dwn2rtl.cli", "build", str(file), "--out", str(folder), "--input-bits", bits]
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path})
    return sorted(folder.glob("*.v"))


def latency_cycles(folder: Path) -> int:
    """The number of clock edges from input to output, as dwn2rtl states it."""
    found = re.search(r"`define DWN_TOP_LATENCY (\d+)", (folder / "dwn_top_params.vh").read_text())
    if found is None:
        raise SystemExit(f"{folder}: dwn2rtl wrote no latency")
    return int(found[1])


def without_sign_bits(sources: list[Path], model: BaseModel, folder: Path) -> list[Path]:
    """The same design, told that codes are never negative: the sign bit that dwn2rtl gives each code is 0 in the
    encoder.

    dwn2rtl has no unsigned inputs. Whoever feeds it pixels may tie those bits, and synthesis then profits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    features, width = model.input_size, model.input_format.width_bits
    copies = []
    for source in sources:
        text = source.read_text()
        if source.stem == "thermometer_encoder":
            port, body = text.split(");\n", 1)
            mask = f"{{{features}{{1'b0, {{{width}{{1'b1}}}}}}}}"
            body = body.replace("x_flat[", "x_positive[")
            total = features * (width + 1)
            text = f"{port});\n    wire [{total - 1}:0] x_positive = x_flat & {mask};\n{body}"
        copies.append(folder / source.name)
        copies[-1].write_text(text)
    return copies


def plain_interface(model: BaseModel, cycles: int) -> str:
    """A module `plain` with the ports of our exports around dwn2rtl's top, for simulation."""
    features, width = model.input_size, model.input_format.width_bits
    return f"""\
module plain (
    input wire clk, input wire rst, input wire in_valid, input wire [{features * width - 1}:0] in_codes,
    output wire out_valid, output wire [3:0] out_class);
  reg [{cycles - 1}:0] valid;
  always @(posedge clk) valid <= rst ? {cycles}'d0 : {{valid[{cycles - 2}:0], in_valid}};
  assign out_valid = valid[{cycles - 1}];
  wire [{features * (width + 1) - 1}:0] x_flat;
  genvar i;
  generate for (i = 0; i < {features}; i = i + 1) begin : feature
    assign x_flat[{width + 1} * i+:{width + 1}] = {{1'b0, in_codes[{width} * i+:{width}]}};
  end endgenerate
  {TOP} network (.clk(clk), .x_flat(x_flat), .class_idx(out_class));
endmodule
"""
