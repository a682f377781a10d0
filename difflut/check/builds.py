"""What a build directory says of itself: its netlist, its PyTorch model, the ports of its RTL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.builds import bundle
from difflut.export.builds import make_stream as streaming
from difflut.export.builds.make import MODEL_FILE, NETLIST_FILE
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import Netlist
from difflut.export.circuit.text import from_text
from difflut.export.errors import BundleError
from difflut.export.interfaces.framing import framing_of
from difflut.models import load_model, zoo
from difflut.models.base_model import BaseModel
from difflut.sim import RtlInterface, StreamInterface


def load_build_model(directory: Path, model_class: str | None = None) -> BaseModel:
    """The PyTorch model that a build was made from.

    Args:
        directory: a build directory.
        model_class: `module:Class` of the model if it is not in the zoo.

    Raises:
        BundleError: if the directory is not a build, or its model is not in the zoo and no class is given.
    """
    build = bundle.read(directory)
    name, recorded = build.manifest["model"]["name"], build.manifest["model"]["class"]
    if model_class is None and name not in zoo():
        raise BundleError(
            f"{directory}: its model {name!r} is not in the zoo; name its class with --model module:Class (it was "
            f"exported as {recorded})"
        )
    return load_model(str(Path(directory) / MODEL_FILE), model_class)


def stream_interface(build: bundle.Bundle) -> StreamInterface:
    """The streams and registers of a build with AXI ports."""
    manifest = build.manifest
    registers = manifest["stream"]["registers"]
    return StreamInterface(
        top=manifest["name"],
        framing=framing_of(manifest),
        output=manifest["stream"]["output"],
        constants={register["offset"]: register["value"] for register in registers if register["value"] is not None},
        counters={register["name"].lower(): register["offset"] for register in registers if register["value"] is None},
    )


def read_netlist(build: bundle.Bundle) -> Netlist | Circuit:
    """The netlist that a build was emitted from."""
    if streaming.NETLIST_FILE in build.files:
        return from_text(build.text(streaming.NETLIST_FILE))
    return from_text(build.text(NETLIST_FILE)).body


def words_of(codes: npt.NDArray[Any], interface: RtlInterface) -> npt.NDArray[Any]:
    """One row a word of the port `in_codes`: the sample, or one word of pixels after the other.

    Beyond the end of a row there are its first pixels once more: pixels like others, which the RTL must mask.
    """
    if not interface.pixels:
        return codes
    lanes = interface.pixels_per_word
    rows = codes.reshape(len(codes), interface.features // lanes, -1, interface.columns)
    rows = np.pad(rows, ((0, 0), (0, 0), (0, 0), (0, -interface.columns % lanes)), mode="wrap")
    words = rows.reshape(*rows.shape[:3], -1, lanes).transpose(0, 2, 3, 4, 1)
    return words.reshape(-1, interface.features)


def rtl_interface(build: bundle.Bundle) -> RtlInterface:
    """The ports of a build's core, which is the top module of a build with the plain interface."""
    manifest = build.manifest
    output, image = manifest["output"], manifest.get("convolution", {})
    classes = output["classes"]
    score, best, top = (output.get(port, {}) for port in ("scores", "class", "top"))
    return RtlInterface(
        top=bundle.core_name(manifest),
        features=manifest["input"]["features"],
        width_bits=manifest["input"]["width_bits"],
        classes=classes,
        score_width_bits=score.get("width_bits", 1),
        class_width_bits=(best or top).get("width_bits", 1),
        latency_cycles=manifest["latency_cycles"],
        scores=bool(score),
        best=bool(best),
        ranks=top.get("count", 0),
        pixels=image.get("pixels", 0),
        columns=manifest["input"]["shape"][-1] if image else 1,
        pixels_per_word=image.get("pixels_per_cycle", 1),
        interval_cycles=manifest["initiation_interval"],
    )
