"""Trained networks of other libraries, as models of difflut: one file a format, none of which is unpickled."""

from __future__ import annotations

import os
from typing import Any

from difflut.errors import NetworkFileError
from difflut.importers import arrays, dwn2rtl, torch_dwn
from difflut.importers.contents import read_content
from difflut.importers.graph import from_netlist
from difflut.importers.importer import Importer
from difflut.importers.network import array, from_tables, model_of
from difflut.importers.said import Said
from difflut.input_format import InputFormat
from difflut.models.given import GivenNetwork
from difflut.registry import Registry

__all__ = ["IMPORTERS", "Importer", "from_netlist", "from_tables", "load_network"]

IMPORTERS: Registry[Importer] = Registry(
    "format of networks",
    "difflut.importers",
    {"dwn2rtl": dwn2rtl.IMPORTER, "tables": arrays.IMPORTER, "torch_dwn": torch_dwn.IMPORTER},
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
    )
    network = importer.read(content, said)
    try:
        model = model_of(network, input_format, name or content.path.stem)
    except NetworkFileError as error:
        raise content.refuse(str(error)) from error
    model.info = {"imported": {"format": known[0], "file": content.path.name}}
    return model
