"""From a model to one file for other tools, or C."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from difflut.errors import ConfigError
from difflut.export.builds.self_check import self_check
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import Netlist
from difflut.export.exchange.aiger import aiger
from difflut.export.exchange.blif import blif
from difflut.export.exchange.c import c_files
from difflut.export.exchange.gates import Gates
from difflut.export.exchange.tables import tables
from difflut.export.families.generic import GENERIC
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace
from difflut.export.passes import pipelines
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.verilog import names
from difflut.files import write_atomically
from difflut.models.base_model import BaseModel
from difflut.models.wrappers import takes_wrapped
from difflut.progress import note
from difflut.shown import Shown

_OF_GATES: dict[str, Callable[[Gates, str], bytes]] = {"blif": blif, "aiger": aiger, "tables": tables}
C, _HEADER = "c", ".h"
ENDINGS = {"blif": "blif", "aiger": "aig", "tables": "npz", C: "c"}
TARGETS = tuple(ENDINGS)
_C_FILE = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*\.c")  # the header's name stands in the source


@dataclass(frozen=True, repr=False)
class NetlistFile(Shown):
    """What was written.

    Attributes:
        path: the file.
        target: a name of `TARGETS`.
        name: of the circuit.
        inputs, nodes, outputs: input bits, nodes of tables (LUTs, comparators, counters; in C LUTs and comparators),
            output bits.
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
        out: the file; build/NAME.blif, .aig, .npz or .c by default. The header of a .c file goes beside it.
        target: "blif", "aiger", "tables" (arrays of `difflut.from_netlist` in an npz file) or "c" (C99 for any
            processor, codes as integers, scores and class word as integers).
        fpga, outputs, name, samples: as of `make_build`; "top-K" is refused.

    Raises:
        ConfigError: an option is unknown, or the name is none that a module may have.
        TraceError: the model has no circuit.
        SelfCheckError: the circuit does not compute what the model does.
        WriteError: the file cannot be written.
    """
    if target not in TARGETS:
        raise ConfigError(f"unknown target {target!r}; known: {', '.join(TARGETS)}")
    top = names.identifier(model.name) if name is None else names.check_identifier(name)
    family = find_family(fpga)
    if outputs == "both" and not model.output_heads.decide:
        outputs = "scores"  # numbers and bits have no class
    ports = parse_outputs(outputs, model.num_classes)
    if ports.top:
        raise ConfigError(f"outputs {outputs!r}: a file for other tools has both, scores or class")
    path = Path("build", f"{top}.{ENDINGS[target]}") if out is None else Path(out)
    if target == C and not _C_FILE.fullmatch(path.name):
        raise ConfigError(
            f"{path.name!a} is no name of a C file; give one of letters, digits and ._+- that ends with .c, beside "
            "which the header goes"
        )
    note("tracing")
    circuit, _ = pipelines.run(Circuit.of(trace(model)), pipelines.default(family))
    note("self-check")
    self_check(model, circuit, model.checkpoint_bytes(frozen=True), samples)
    note(target)
    files, nodes = _files(circuit.body, ports, target, top, path)
    if out is None:
        path.parent.mkdir(exist_ok=True)
    for place, content in files.items():
        write_atomically(place, content)
    form, head = circuit.body.input, circuit.body.head
    bits = head.classes * head.score_width_bits * ports.scores + head.class_word_bits * ports.best
    return NetlistFile(path, target, top, form.features * form.width_bits, nodes, bits)


def _files(netlist: Netlist, ports: Outputs, target: str, name: str, path: Path) -> tuple[Mapping[Path, bytes], int]:
    """The files by path, and how many nodes are in them."""
    if target == C:
        header = path.with_suffix(_HEADER)
        source, declared = c_files(netlist, ports, name, header.name)
        return {header: declared, path: source}, netlist.comparators + netlist.luts
    gates = Gates(netlist, ports)
    return {path: _OF_GATES[target](gates, name)}, len(gates.nodes)
