"""From a model to one file for other tools."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from difflut.errors import ConfigError
from difflut.export.builds.self_check import self_check
from difflut.export.circuit.circuit import Circuit
from difflut.export.exchange.aiger import aiger
from difflut.export.exchange.blif import blif
from difflut.export.exchange.gates import Gates
from difflut.export.exchange.tables import tables
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace
from difflut.export.passes import pipelines
from difflut.export.schedule.head.outputs import parse_outputs
from difflut.export.verilog import names
from difflut.files import write_atomically
from difflut.models.base_model import BaseModel
from difflut.models.wrappers import takes_wrapped
from difflut.progress import note
from difflut.shown import Shown

WRITERS: dict[str, Callable[[Gates, str], bytes]] = {"blif": blif, "aiger": aiger, "tables": tables}
ENDINGS = {"blif": "blif", "aiger": "aig", "tables": "npz"}


@dataclass(frozen=True, repr=False)
class NetlistFile(Shown):
    """What was written.

    Attributes:
        path: the file.
        target: a name of `WRITERS`.
        name: of the circuit.
        inputs, nodes, outputs: input bits, nodes of tables (LUTs, comparators, counters), output bits.
    """

    path: Path
    target: str
    name: str
    inputs: int
    nodes: int
    outputs: int

    def lines(self) -> Iterator[str]:
        """Where it is, and its size."""
        yield f"{self.name} -> {self.path}"
        yield f"  {self.target}: {self.inputs:,} input bits, {self.nodes:,} nodes, {self.outputs:,} output bits"


@takes_wrapped
def export_netlist(
    model: BaseModel,
    out: str | os.PathLike[str] | None = None,
    *,
    target: str = "blif",
    fpga: str = GENERIC.name,
    outputs: str = "both",
    name: str | None = None,
    samples: Tensor | None = None,
) -> NetlistFile:
    """Write the whole circuit of a fitted model, encoder and head included and without registers, as one file.

    Inputs are the bits of the port `in_codes`, outputs those of `out_scores` and `out_class`, as a build has them. The
    circuit must give the model's scores, see `difflut.export.builds.self_check`.

    Args:
        model: the model.
        out: the file; build/NAME.blif, .aig or .npz by default.
        target: "blif", "aiger" or "tables" (arrays of `difflut.from_netlist` in an npz file).
        fpga, outputs, name, samples: as of `make_build`; "top-K" is refused.

    Raises:
        ConfigError: an option is unknown, or the name is none that a module may have.
        TraceError: the model has no circuit.
        SelfCheckError: the circuit does not compute what the model does.
        WriteError: the file cannot be written.
    """
    if target not in WRITERS:
        raise ConfigError(f"unknown target {target!r}; known: {', '.join(WRITERS)}")
    top = names.identifier(model.name) if name is None else names.check_identifier(name)
    family = find_family(fpga)
    if outputs == "both" and not model.output_heads.decide:
        outputs = "scores"  # numbers and bits have no class
    ports = parse_outputs(outputs, model.num_classes)
    if ports.top:
        raise ConfigError(f"outputs {outputs!r}: a file for other tools has both, scores or class")
    note("tracing")
    circuit, _ = pipelines.run(Circuit.of(trace(model)), pipelines.default(family))
    note("self-check")
    self_check(model, circuit, model.checkpoint_bytes(frozen=True), samples)
    note(target)
    gates = Gates(circuit.body, ports)
    path = Path("build", f"{top}.{ENDINGS[target]}") if out is None else Path(out)
    content = WRITERS[target](gates, top)
    if out is None:
        path.parent.mkdir(exist_ok=True)
    write_atomically(path, content)
    return NetlistFile(path, target, top, len(gates.inputs), len(gates.nodes), len(gates.outputs))
