"""The shell around a build with the plain interface: few pins, registers right at every port of the core.

A network's codes have thousands of bits, a package has a few hundred pins. The shell is what nextpnr places and routes
instead of the bare top: a shift register brings in the codes that the network reads, another takes the results out
(`hdl_templates/shell.v.j2`). It is a working circuit. Its clock is that of the core's register-to-register paths, the
first and the last included, or of its own shift registers, which have one multiplexer at most. Of a streaming circuit
it leaves `in_ready` open: it must not be given the next image's first pixel within the pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from difflut.export.builds.store import Build
from difflut.export.circuit.pixel import compared
from difflut.hdl_templates import render

PINS = ("clk", "rst", "in_bit", "in_last", "out_bit", "out_valid")


@dataclass(frozen=True)
class Shell:
    """A shell.

    Attributes:
        module: the name of its module.
        text: its Verilog.
        features: the features whose codes are shifted in, ascending.
        in_bits: bits of these codes.
        outputs: the result ports of the core and their widths, in the order in which they are shifted out.
        clock_enable: whether the core has one, which a register drives.
    """

    module: str
    text: str
    features: tuple[int, ...]
    in_bits: int
    outputs: tuple[tuple[str, int], ...]
    clock_enable: bool = False

    @property
    def registers(self) -> int:
        """How many flip-flops the shell has."""
        return self.in_bits + 2 * sum(width for _, width in self.outputs) + 3 + self.clock_enable


def make_shell(build: Build) -> Shell:
    """The shell of a build with the plain interface."""
    info = build.info
    width, features = info.input.width_bits, info.input.features
    taken = compared(build.circuit, info.schedule.pixels_per_cycle)
    read = np.unique(taken.input.features_and_bits(taken.compare_feature)[0])
    outputs, top = info.output.ports, info.name
    in_bits = max(width * len(read), 1)
    module = f"{top}_shell"
    text = render(
        "shell.v.j2",
        {
            "source": top,
            "module": module,
            "core": top,
            "code_bits": width * features,
            "in_bits": in_bits,
            "out_bits": sum(bits for _, bits in outputs),
            "out_names": ", ".join(name for name, _ in outputs),
            "outputs": [{"name": name, "width": bits} for name, bits in outputs],
            "clock_enable": info.clock_enable,
            "slices": _slices(np.isin(np.arange(features), read).tolist(), width),
        },
    )
    return Shell(module, text, tuple(int(feature) for feature in read), in_bits, outputs, info.clock_enable)


def _slices(read: list[bool], width: int) -> list[dict[str, int | str]]:
    """Where each run of features that are all read, or all not, comes from."""
    slices: list[dict[str, int | str]] = []
    feature = taken = 0
    for is_read, run in groupby(read):
        bits = width * len(list(run))
        value = f"codes[{taken + bits - 1}:{taken}]" if is_read else f"{bits}'d0"
        slices.append({"first": feature, "last": feature + bits - 1, "value": value})
        feature += bits
        taken += bits if is_read else 0
    return slices
