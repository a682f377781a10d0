"""Judges a recording: did the top module follow the valid protocol at its declared latency?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from difflut.export.errors import ExportError
from difflut.sim.interface import RtlInterface
from difflut.sim.vectors import Recording, unpack_bits, unpack_fields


class ProtocolError(ExportError):
    """The RTL broke the protocol of its ports: valid, ready, latency, reset, or an unknown value on an output."""

    exit_status = 1


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def check_taken(recording: Recording, interface: RtlInterface, words: int) -> None:
    """Check that all `words` that were offered were taken.

    Raises:
        ProtocolError: `in_ready` kept the samples waiting for longer than the declared initiation interval allows.
    """
    taken = len(recording.input_cycles)
    if taken < words:
        raise ProtocolError(
            f"{interface.top}: took {taken} of {_plural(words, 'word')}; up to there in_ready was low while in_valid "
            f"was 1 for more than the {_plural(interface.interval_cycles, 'cycle')} an image that are declared as "
            "initiation interval"
        )


def measured_latency(recording: Recording, interface: RtlInterface) -> int:
    """Check when `out_valid` rose and return the latency in cycles.

    Raises:
        ProtocolError: images that followed each other without a gap ended at other intervals than declared,
            `out_valid` is unknown, stuck, not cleared by `rst`, comes at another latency than declared or
            at a varying one, or outputs are missing or too many.
    """
    top, declared = interface.top, interface.latency_cycles
    words = interface.words
    inputs, outputs = recording.input_cycles[words - 1 :: words], recording.output_cycles
    reset = int(recording.reset_cycle)
    if len(recording.unknown_cycles):
        raise ProtocolError(
            f"{top}: out_valid is neither 0 nor 1 at clock edge {recording.unknown_cycles[0]}, after the reset; "
            "rst must clear every stage of the valid pipeline"
        )
    if len(outputs) == 0:
        raise ProtocolError(
            f"{top}: out_valid never rose; {_plural(len(inputs), 'sample')} were given and the declared latency is "
            f"{declared} cycles"
        )
    quiet = outputs[(outputs > reset) & (outputs < inputs[0])]
    if len(quiet):
        raise ProtocolError(
            f"{top}: out_valid was 1 at {_plural(len(quiet), 'clock edge')} after the reset, {quiet[0] - reset} "
            f"after it first, with no sample in flight; rst must clear the valid pipeline and out_valid must follow "
            "in_valid"
        )
    measured = outputs[outputs > reset]
    if len(measured) != len(inputs):
        first = f"the first came {measured[0] - inputs[0]} cycles after its sample" if len(measured) else "none came"
        raise ProtocolError(
            f"{top}: {len(inputs)} samples went in, {_plural(len(measured), 'output')} came out "
            f"({first}, declared latency {declared} cycles)"
        )
    delays = measured - inputs
    if (delays != delays[0]).any():
        sample = int(np.argmax(delays != delays[0]))
        raise ProtocolError(
            f"{top}: the latency varies: sample 0 took {delays[0]} cycles, sample {sample} took {delays[sample]}"
        )
    latency = int(delays[0])
    if latency != declared:
        raise ProtocolError(f"{top}: the measured latency is {latency} cycles, the declared one {declared}")
    if len(inputs) > 2:  # the first two come without a gap
        interval = int(np.diff(inputs).min())
        if interval != interface.interval_cycles:
            raise ProtocolError(
                f"{top}: the measured initiation interval is {interval} cycles, the declared one "
                f"{interface.interval_cycles}"
            )
    expected_warm = recording.warm_up_cycles[words - 1 :: words] + declared
    expected_warm = expected_warm[expected_warm <= reset]
    if not np.array_equal(outputs[outputs <= reset], expected_warm):
        raise ProtocolError(
            f"{top}: before the reset in the middle, out_valid was 1 at the clock edges "
            f"{outputs[outputs <= reset].tolist()}, expected {expected_warm.tolist()}"
        )
    return latency


@dataclass(frozen=True, eq=False)
class Results:
    """What the result ports showed for the measured samples, in the order they came out; None for a port not there.

    Attributes:
        scores: int64 (N, classes).
        classes: int64 (N,).
        top: int64 (N, ranks), the class of each rank.
    """

    scores: npt.NDArray[np.int64] | None
    classes: npt.NDArray[np.int64] | None
    top: npt.NDArray[np.int64] | None


def decode_outputs(recording: Recording, interface: RtlInterface) -> Results:
    """The values of the result ports.

    Raises:
        ProtocolError: a value has unknown bits or the port has another width than the interface says.
    """
    measured = recording.output_cycles > int(recording.reset_cycle)

    def fields(port: str, text: npt.NDArray[np.bytes_], count: int, width_bits: int) -> npt.NDArray[np.int64] | None:
        if port not in interface.result_ports:
            return None
        return unpack_fields(_known(port, text[measured], count * width_bits), width_bits)

    classes = fields("out_class", recording.classes, 1, interface.class_width_bits)
    return Results(
        scores=fields("out_scores", recording.scores, interface.classes, interface.score_width_bits),
        classes=None if classes is None else classes[:, 0],
        top=fields("out_top", recording.top, interface.ranks, interface.class_width_bits),
    )


def decode_probe(recording: Recording, index: int, signal: str, width_bits: int) -> npt.NDArray[np.bool_]:
    """bool (N, width_bits), least significant bit first: probe `index` for every sample.

    Raises:
        ProtocolError: as `decode_outputs`.
    """
    return _known(f"probe {signal}", recording.probes[index], width_bits)


def _known(name: str, text: npt.NDArray[Any], width_bits: int) -> npt.NDArray[np.bool_]:
    bits, known = unpack_bits(text, width_bits)
    if not known.all():
        sample = int(np.argmin(known))
        shown = text.reshape(-1)[sample].decode("ascii", "replace")
        reason = f"has {len(shown)} bits, expected {width_bits}" if len(shown) != width_bits else "has unknown bits"
        shown = shown if len(shown) <= 64 else f"{shown[:61]}..."
        raise ProtocolError(f"{name} {reason} for sample {sample}: {shown}")
    return bits
