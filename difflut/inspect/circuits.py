"""The circuit behind what a user names: a build directory, a zoo model or a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from difflut.data_names import DataNames, Wording
from difflut.export.builds import store
from difflut.export.circuit.names import net_name
from difflut.export.circuit.netlist import FIRST_NET, Netlist
from difflut.export.circuit.unroll import unroll
from difflut.input_format import InputFormat
from difflut.progress import task
from difflut.shown import Brief

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


@dataclass(frozen=True, eq=False, repr=False)
class OpenedCircuit(Brief):
    """A circuit and where it comes from.

    Attributes:
        source: what the user named.
        model_name: the model's name.
        shape: of one sample.
        input_format: of its codes.
        traced: the netlist as traced: every node of the model.
        netlist: after the passes, as it is emitted; a kernel of an image once for every position.
        model: the PyTorch model, None for a build directory.
        names: of features and classes, None if there are none.
    """

    source: str
    model_name: str
    shape: tuple[int, ...]
    input_format: InputFormat
    traced: Netlist
    netlist: Netlist
    model: BaseModel | None
    names: DataNames | None = None

    @property
    def wording(self) -> Wording:
        """Codes and classes in the words of the data."""
        return Wording(self.names, self.input_format, self.shape)

    def net_name(self, net: int) -> str:
        """A net of `netlist` in the model's words, a comparison in those of the data."""
        netlist = self.netlist
        if FIRST_NET <= net < netlist.first_lut_net:
            cell = net - FIRST_NET
            feature, threshold = int(netlist.compare_feature[cell]), int(netlist.compare_threshold[cell])
            if feature < netlist.input.features:
                return self.wording.comparison(feature, threshold)
        return net_name(netlist, net, self.shape)


def open_circuit(source: str, model_class: str | None = None) -> OpenedCircuit:
    """Open a build directory, without torch, or trace a zoo model or a checkpoint.

    Raises:
        BundleError: a directory that is no complete, unedited build.
        DifflutError: no such model, or no checkpoint.
    """
    with task(f"opening {source}"):
        return _of_build(Path(source)) if Path(source).is_dir() else _of_model(source, model_class)


def _of_model(source: str, model_class: str | None) -> OpenedCircuit:
    from difflut.export.frontend.trace import trace
    from difflut.export.passes import pipelines
    from difflut.models import load_model

    model = load_model(source, model_class)
    traced = trace(model)
    netlist, _ = pipelines.run(traced)
    return OpenedCircuit(source, model.name, model.input_shape, model.input_format, traced, netlist, model, model.names)


def _of_build(folder: Path) -> OpenedCircuit:
    build = store.read(folder)
    info = build.info
    return OpenedCircuit(
        source=str(folder),
        model_name=info.model.name,
        shape=info.input.shape,
        input_format=info.input.format,
        traced=unroll(build.traced),
        netlist=unroll(build.circuit),
        model=None,
        names=info.names,
    )
