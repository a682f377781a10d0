"""No family in particular: plain Verilog for the tools of any vendor, counted in six-input LUTs as of the 7 series."""

from __future__ import annotations

from difflut.export.families import xilinx
from difflut.export.families.cells import Cells
from difflut.export.families.family import Family
from difflut.export.families.tools import Vivado, YosysSynthesis

GENERIC = Family(
    "generic",
    "plain Verilog for any tool, counted in six-input LUTs",
    lut_inputs=6,
    delays=xilinx.XC7.delays,
    yosys=YosysSynthesis("synth -lut 6 -flatten", lut_map=""),
    cells=Cells(
        luts={"$lut": 1, "GENERIC_LUT": 1},
        flip_flops=("$_DFF*", "$_SDFF*", "$_ALDFF*", "$_DLATCH*"),
    ),
    devices=xilinx.XC7.devices,
    devices_are_examples=True,
    vivado=Vivado(""),
)
FAMILIES = (GENERIC,)
