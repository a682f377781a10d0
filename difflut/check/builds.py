"""What a build directory says of itself: its PyTorch model, the ports of its RTL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from difflut.export.builds import store
from difflut.export.builds.frames import framing_of, registers_of, streams_of
from difflut.export.builds.store import MODEL_FILE, Build
from difflut.export.errors import BundleError
from difflut.models import load_model, zoo
from difflut.models.base_model import BaseModel
from difflut.models.checkpoint import read_header
from difflut.models.wrappers import unwrap
from difflut.shown import Brief
from difflut.sim import AxiInterface, RtlInterface


@dataclass(frozen=True, eq=False, repr=False)
class OpenedBuild(Brief):
    """A build that was read, and the PyTorch model that it was made from."""

    build: Build
    model: BaseModel


def open_build(directory: Path, model: BaseModel | str | None = None) -> OpenedBuild:
    """Read a build and load its model.

    Args:
        directory: a build directory.
        model: what makes the model if it is not in the zoo: `module:Class`, or a model, which stays as it is: one of
            the same constructor call is loaded from the build.

    Raises:
        BundleError: if the directory is not a build, or its model is not in the zoo and no class is given.
    """
    build = store.read(directory)
    name, recorded = build.info.model.name, build.info.model.class_name
    if isinstance(model, nn.Module):
        return OpenedBuild(build, unwrap(model).made_again().load_checkpoint(Path(directory) / MODEL_FILE))
    if model is None and name not in zoo() and read_header(Path(directory) / MODEL_FILE).kind is None:
        raise BundleError(
            f"{directory}: its model {name!r} is not in the zoo; name its class with --model module:Class (it was "
            f"exported as {recorded})"
        )
    return OpenedBuild(build, load_model(str(Path(directory) / MODEL_FILE), model))


def axi_interface(build: Build) -> AxiInterface:
    """The streams and registers of a build with AXI ports."""
    registers = registers_of(build.info)
    return AxiInterface(
        top=build.info.name,
        framing=framing_of(build.info),
        output=streams_of(build.info).output,
        constants={register.offset: register.value for register in registers if register.value is not None},
        counters={register.signal: register.offset for register in registers if register.value is None},
    )


def words_of(codes: npt.NDArray[Any], interface: RtlInterface) -> npt.NDArray[Any]:
    """One row a word of the port `in_codes`: one word of pixels after the other; a whole sample is one pixel.

    Beyond the end of a row there are its first pixels once more: pixels like others, which the RTL must mask.
    """
    lanes = interface.pixels_per_word
    rows = codes.reshape(len(codes), interface.features // lanes, -1, interface.columns)
    rows = np.pad(rows, ((0, 0), (0, 0), (0, 0), (0, -interface.columns % lanes)), mode="wrap")
    words = rows.reshape(*rows.shape[:3], -1, lanes).transpose(0, 2, 3, 4, 1)
    return words.reshape(-1, interface.features)


def rtl_interface(build: Build) -> RtlInterface:
    """The ports of a build's core, which is the top module of a build with the plain interface."""
    info, output, schedule = build.info, build.info.output, build.info.schedule
    classes = output.best or output.top
    return RtlInterface(
        top=info.core,
        features=info.input.features,
        width_bits=info.input.width_bits,
        classes=output.classes,
        score_width_bits=output.scores.width_bits if output.scores else 1,
        class_width_bits=classes.width_bits if classes else 1,
        latency_cycles=info.latency_cycles,
        scores=output.scores is not None,
        best=output.best is not None,
        ranks=output.top.count if output.top else 0,
        pixels=schedule.pixels,
        columns=schedule.columns(info.input.shape),
        pixels_per_word=schedule.pixels_per_cycle,
        interval_cycles=info.initiation_interval,
        clock_enable=info.clock_enable,
    )
