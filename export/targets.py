"""What the FPGA families offer, as data: passes, planners and back-ends ask for a capability, never for a name."""

from __future__ import annotations

from dataclasses import dataclass

from difflut.errors import UnknownNameError


@dataclass(frozen=True)
class Target:
    """One FPGA family.

    Attributes:
        name: the name in `TARGETS`.
        description: what it stands for, one line.
        lut_inputs: inputs of one LUT.
        dual_output: whether one LUT gives two functions of the same `lut_inputs` - 1 inputs.
        carry_bits: bits of one carry primitive; 0 where chains are left to the synthesis tool.
        instances: the library whose primitives are instantiated ("xilinx"); None for plain Verilog only.
    """

    name: str
    description: str
    lut_inputs: int
    dual_output: bool = False
    carry_bits: int = 0
    instances: str | None = None


GENERIC = Target("generic", "plain Verilog for any tool, counted in six-input LUTs", lut_inputs=6)

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        GENERIC,
        Target("xc7", "Xilinx 7 series", 6, dual_output=True, carry_bits=4, instances="xilinx"),
        Target("xcup", "Xilinx UltraScale+", 6, dual_output=True, carry_bits=8, instances="xilinx"),
        Target("ice40", "Lattice iCE40", 4),
        Target("ecp5", "Lattice ECP5", 4),
        Target("gowin", "Gowin LittleBee and Arora", 4),
    )
}


def find_target(name: str) -> Target:
    """The target of a name.

    Raises:
        UnknownNameError: if there is none; names the known ones.
    """
    if name not in TARGETS:
        raise UnknownNameError(f"unknown FPGA family {name!r}; known: {', '.join(TARGETS)}")
    return TARGETS[name]
