"""The kernel of a window layer as one module: its LUTs level by level, a register behind each level."""

from __future__ import annotations

import numpy as np

from difflut.export.circuit.netlist import Netlist
from difflut.export.verilog import names, ports
from difflut.export.verilog.lut_stage import delays, lut_stage
from difflut.export.verilog.wires import Scope, plan
from difflut.export.verilog.writer import ModuleWriter


def write_kernel(writer: ModuleWriter, number: int, kernel: Netlist) -> str:
    """Write the module of the kernel of a layer, whose `in_bits` are the bits of a window that it compares, in
    order.
    """
    wires = plan(kernel)
    alone = np.full(kernel.luts, -1, np.int32)
    stages, first = [], 0
    for stage, vector in wires.stages.items():
        logic = lut_stage(kernel, wires, vector, wires.inputs_of_stage(stage), alone, first, f"{vector.name}_")
        stages.append({"name": vector.name, "range": names.vector(vector.width_bits), "logic": logic})
        first += vector.width_bits
    bits = max(1, kernel.comparators)
    return writer.write(
        "kernel",
        f"kernel{number}",
        [ports.CLOCK, ports.vector_in("in_bits", bits), ports.vector_out("out_bits", kernel.head.classes)],
        luts=kernel.luts,
        levels=wires.last_rank,
        in_range=names.vector(bits),
        inputs=[
            {"name": vector.name, "registered": vector.rank > 0}
            for vector in (wires.encoder_now, wires.encoder)
            if vector is not None
        ],
        stages=stages,
        delays=delays(kernel, wires),
        outputs=names.concatenation(Scope(kernel, wires.at(wires.last_rank)).terms(kernel.head.nets)),
    )
