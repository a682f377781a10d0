"""Trained networks of other libraries, as models of difflut: one file a format, none of which is unpickled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from difflut.errors import NetworkFileError
from difflut.importers import (
    aiger,
    arrays,
    blif,
    difflogic,
    difflut_net,
    dwn2rtl,
    graph_arrays,
    llnn,
    logicnets,
    silogic,
    torch_dwn,
    torchlogix,
    torchlogix_circuit,
)
from difflut.importers.contents import read_content
from difflut.importers.graph import from_netlist
from difflut.importers.importer import Importer
from difflut.importers.network import array, from_tables, model_of
from difflut.importers.said import Said
from difflut.input_format import InputFormat
from difflut.models.given import GivenNetwork
from difflut.registry import Registry

__all__ = ["IMPORTERS", "Importer", "from_netlist", "from_tables", "is_network", "load_network"]

IMPORTERS: Registry[Importer] = Registry(
    "format of networks",
    "difflut.importers",
    {
        "aiger": aiger.IMPORTER,
        "blif": blif.IMPORTER,
        "difflogic": difflogic.IMPORTER,
        "difflut_net": difflut_net.IMPORTER,
        "dwn2rtl": dwn2rtl.IMPORTER,
        "graph": graph_arrays.IMPORTER,
        "llnn": llnn.IMPORTER,
        "logicnets": logicnets.IMPORTER,
        "silogic": silogic.IMPORTER,
        "tables": arrays.IMPORTER,
        "torch_dwn": torch_dwn.IMPORTER,
        "torchlogix": torchlogix.IMPORTER,
        "torchlogix_circuit": torchlogix_circuit.IMPORTER,
    },
)


def load_network(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    input_format: InputFormat | None = None,
    name: str | None = None,
    classes: int | None = None,
    tau: float | None = None,
    thresholds: Any = None,
    binary_inputs: int | None = None,
    scaler: tuple[Any, Any] | None = None,
    permutation: Any = None,
    beta: float | None = None,
    connections: Sequence[Any] | None = None,
    nodes: str | None = None,
    image: Sequence[int] | None = None,
    bit_order: str | None = None,
    geometry: str | None = None,
    softplus_temperature: float | None = None,
    numbers: str | None = None,
) -> GivenNetwork:
    """A trained network of another library as a model, in eval mode; `unfreeze()` makes it trainable.

    What the file says need not be given. What it does not say, and is needed, is refused by name.

    Args:
        path: the file; pickled modules are refused, with what to save instead.
        format: a name of `IMPORTERS`; by default what the file's content is.
        input_format: the codes of a feature; needed unless the inputs are bits.
        name: the model's; the file's stem by default.
        classes, tau, thresholds, scaler, permutation: as of `from_tables`.
        binary_inputs: instead of thresholds: so many bits are the network's inputs.
        beta: what is added to every sum of the group sum, before it is divided by tau.
        connections: for each layer whose file has none integers (nodes, n), inputs in the library's order.
        nodes: what parameters of nodes stand for: "raw", "light" or "warp" of torchlogix, "walsh" or "linear" of
            silogic.
        image: colours, rows and columns of a sample, for torchlogix.
        bit_order: of an image's thermometer: "features", the bits of a pixel side by side, or "planes".
        geometry: of torchlogix's convolutions and poolings, such as "conv+1 pool2".
        softplus_temperature: of torchlogix's learned thresholds.
        numbers: which output bits of a Boolean circuit are numbers: "names" (`y[0]` to `y[3]` are y; the default),
            "none", or the widths of neighbours, lowest bit first, such as "4,4,3s" (s: signed) or "5x2".

    Raises:
        NetworkFileError: the file cannot be read, or does not say what is needed.
        UnknownNameError: there is no such format.
    """
    content = read_content(path)
    known = [one for one in IMPORTERS if IMPORTERS[one].recognises(content)] if format is None else [format]
    if len(known) != 1:
        raise content.refuse(
            f"a file of {content.container} with no network of a known format; known: {', '.join(IMPORTERS)}"
            if not known
            else f"may be of the formats {' and '.join(known)}; give --format"
        )
    importer = IMPORTERS.find(known[0])
    said = Said(
        classes=classes,
        tau=tau,
        thresholds=None if thresholds is None else array("thresholds", thresholds, "f"),
        binary=binary_inputs,
        scaler=None if scaler is None else (array("mean", scaler[0], "iuf"), array("scale", scaler[1], "iuf")),
        permutation=None if permutation is None else array("permutation", permutation, "iu"),
        beta=beta,
        connections=None if connections is None else tuple(_wires(one) for one in connections),
        nodes=nodes,
        image_size=None if image is None else _image(image),
        bit_order=bit_order,
        geometry=geometry,
        softplus_temperature=softplus_temperature,
        numbers=numbers,
    )
    network = importer.read(content, said)
    try:
        model = model_of(network, input_format, name or content.path.stem)
    except NetworkFileError as error:
        raise content.refuse(str(error)) from error
    model.info = {"imported": {"format": known[0], "file": content.path.name}}
    return model


def is_network(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file with a network of another library."""
    if not Path(path).is_file():
        return False
    try:
        content = read_content(path)
    except NetworkFileError:
        return False
    return any(importer.recognises(content) for importer in IMPORTERS.values())


def _wires(value: Any) -> Any:
    wires = array("connections", value, "iu")
    if wires.ndim != 2 or 0 in wires.shape:
        raise NetworkFileError(f"connections are {wires.shape}; expected (nodes, inputs)")
    return wires.astype("int64")


def _image(value: Sequence[int]) -> tuple[int, int, int]:
    sizes = tuple(value)
    if len(sizes) != 3 or not all(isinstance(size, int) and 1 <= size <= 1 << 12 for size in sizes):
        raise NetworkFileError(f"image is {sizes!a:.60}; expected colours, rows and columns, each from 1 to 4096")
    return sizes
