"""The frames of a build with AXI4-Streams: making them from samples, reading results from them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.info import AxiStreamInfo, BuildInfo, LayoutInfo
from difflut.export.interfaces.framing import Framing, Layout, PixelFraming
from difflut.export.interfaces.registers import Register

Directory = str | os.PathLike[str]


def streams_of(info: BuildInfo) -> AxiStreamInfo:
    """The streams of a build.

    Raises:
        ConfigError: it has the plain interface.
    """
    if info.axi_stream is None:
        raise ConfigError(f"build {info.name}: has the interface {info.interface}; frames are for axi-stream")
    return info.axi_stream


def framing_of(info: BuildInfo) -> Framing:
    """The framing of a build with streams."""
    streams = streams_of(info)

    def layout(side: LayoutInfo) -> Layout:
        return Layout(side.count, side.value_bits, streams.width_bits)

    codes, results = layout(streams.codes), layout(streams.results)
    if streams.word_values is None:
        return Framing(codes, results, info.latency_cycles)
    return PixelFraming(
        codes,
        results,
        info.latency_cycles,
        word_values=streams.word_values,
        pause_cycles=info.schedule.pause_cycles,
        interval_cycles=info.initiation_interval,
    )


def registers_of(info: BuildInfo) -> tuple[Register, ...]:
    """The register map of a build with streams."""
    return tuple(
        Register(
            register.name,
            register.offset,
            register.meaning,
            register.value,
            signal=register.name.lower() if register.value is None else "",
            writable=register.access == "write",
        )
        for register in streams_of(info).registers
    )


def frame_order(info: BuildInfo, codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
    """Codes of samples in the order in which a frame has them, (N, codes of a frame).

    A frame of images that enter pixel by pixel has them row by row, of each pixel its colours in order; any other has
    the codes as the model has them.

    Args:
        info: `build.json`.
        codes: integers (N, ...), each sample in the order of the model: colours, rows, columns for images.
    """
    return info.schedule.frame_order(np.asarray(codes).reshape(len(codes), -1))


def pack_samples(directory: Directory, codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """The frames of samples for a build with AXI4-Streams: uint8 (N, beats, width / 8), the last beat with TLAST.

    Args:
        directory: the build.
        codes: integers (N, ...), each sample in the order of the model: colours, rows, columns for images.

    Raises:
        BundleError: it is not a complete, unedited build.
        ConfigError: it has the plain interface.
    """
    info = store.read(directory).info
    return framing_of(info).codes.pack(frame_order(info, codes))


def unpack_results(directory: Directory, beats: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Scores (N, classes), or class indices (N, 1), from the beats uint8 (N, beats, width / 8) of results; errors as
    above.
    """
    return framing_of(store.read(directory).info).results.unpack(beats)[0]
