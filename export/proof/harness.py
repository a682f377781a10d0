"""The harness in which the wrapper of a core is proved: what it must do, spoken of at its ports and at those of its
core.

The harness instantiates the wrapper as Yosys read it, with the core taken out and its ports made ports of the wrapper
(`expose -evert`). So the text of the build is never edited. The properties say cycle by cycle what handshakes, beats,
registers and what enters the core must be; lemmas, which induction needs, relate them to registers of the wrapper by
name. A lemma is asserted like any property: a name that is not there makes a proof fail, never succeed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from difflut.export.interfaces.framing import Framing, Layout, PixelFraming
from difflut.export.interfaces.ports import stream_ports
from difflut.export.interfaces.registers import ADDRESS_BITS, CONTROL, Register
from difflut.export.proof.ports import Port
from difflut.export.verilog import names
from difflut.hdl_templates import render

MODULE = "difflut_harness"
_ASSERTION = re.compile(r"\bassert\s*\(")
_WORD_BITS = ADDRESS_BITS - 2
LOW_BITS = 3  # of a counter that count in place; see axi_registers.v.j2


@dataclass(frozen=True)
class Wrapper:
    """What is known of a wrapper without reading its RTL.

    Attributes:
        top: its name.
        core: the name of the module inside.
        framing: the frames and the credits.
        output: "scores" or "class", the core's only result port.
        registers: the register map.
    """

    top: str
    core: str
    framing: Framing
    output: str
    registers: Sequence[Register]

    @property
    def parts(self) -> tuple[str, ...]:
        """What `harness` can speak of."""
        registers = ["registers"] if self.registers else []
        return ("streams", "frames", "results", *registers, *_core_side(self.framing).parts)

    def ports(self) -> dict[str, Port]:
        """The ports that it must have."""
        ports = stream_ports(self.framing.codes.width_bits, registers=bool(self.registers))
        return {port.name: Port(port.direction, port.width_bits) for port in ports}

    def core_ports(self) -> dict[str, Port]:
        """The ports of the core that it must connect."""
        side = _core_side(self.framing)
        return {
            **{name: Port("input", 1) for name in ("clk", "rst", "in_valid")},
            **side.ready,
            "in_codes": Port("input", side.code_bits),
            "out_valid": Port("output", 1),
            f"out_{self.output}": Port("output", self.framing.results.packed_bits),
        }


@dataclass(frozen=True)
class _CoreSide:
    """How the core takes samples.

    Attributes:
        code_bits: of its port in_codes.
        ready: its port in_ready, if it has one.
        parts: what else `harness` can speak of; timing depends on a core that takes words when it likes.
        context: what the template is told.
    """

    code_bits: int
    ready: Mapping[str, Port]
    parts: tuple[str, ...]
    context: Mapping[str, Any]


def core_stub(wrapper: Wrapper) -> str:
    """A black box with the ports of the core."""
    return render("axi_proof_core.v.j2", {"core": wrapper.core, "core_ports": _core_ports(wrapper)})


def harness(wrapper: Wrapper, instance: str, part: str) -> tuple[str, int]:
    """The harness for the claim `part` of a wrapper, and how many assertions it has.

    Args:
        wrapper: the wrapper.
        instance: the name that the core has in it.
        part: one of `wrapper.parts`.
    """
    framing, ports = wrapper.framing, wrapper.ports()
    context = {
        "module": MODULE,
        "top": wrapper.top,
        "instance": instance,
        "part": part,
        "inputs": [_declared(name, port) for name, port in ports.items() if port.direction == "input"],
        "outputs": [_declared(name, port) for name, port in ports.items() if port.direction == "output"],
        "core_ports": _core_ports(wrapper),
        "width": framing.codes.width_bits,
        "data_range": names.vector(framing.codes.width_bits),
        **_counts(framing),
        **_core_side(framing).context,
        **_results(framing),
        **_registers(wrapper.registers),
    }
    text = render("axi_proof.v.j2", context)
    return text, len(_ASSERTION.findall(text))


def _declared(name: str, port: Port) -> dict[str, str]:
    return {"name": name, "range": names.vector(port.width)}


def _core_ports(wrapper: Wrapper) -> list[dict[str, str]]:
    """Of each port of the core: its name, that of the harness for it, direction and range."""
    result = f"out_{wrapper.output}"
    return [
        {
            "port": name,
            "name": "result" if name == result else name,
            "direction": port.direction,
            "range": names.vector(port.width),
        }
        for name, port in wrapper.core_ports().items()
    ]


def _range(most: int) -> str:
    """Of a counter from 0 to `most`."""
    return names.vector(max(1, most.bit_length()))


def _counts(framing: Framing) -> dict[str, Any]:
    codes, results, credits = framing.codes, framing.results, framing.credits
    return {
        "codes": codes,
        "results": results,
        "credits": credits,
        "length_range": _range(codes.beats),
        "length_full": f"{codes.beats.bit_length()}'d{codes.beats}",
        "beat_range": _range(codes.beats - 1),
        "out_beat_range": _range(results.beats - 1),
        "count_range": _range(credits),
        "pending_range": _range(credits + 1),  # one more frame may wait whole in front of the core
    }


@singledispatch
def _core_side(framing: Framing) -> _CoreSide:
    codes = framing.codes
    context = {
        "pixels": False,
        "latency": framing.core_latency_cycles,
        "latency_range": names.vector(max(1, framing.core_latency_cycles)),
        "frame_range": names.vector(codes.beats * codes.width_bits),
        "used": _mask(codes, codes.count, codes.beats * codes.width_bits),
        "stream_latency": framing.latency_cycles,
        "cycles_per_frame": framing.cycles_per_frame,
    }
    return _CoreSide(codes.packed_bits, {}, ("timing",), context)


@_core_side.register
def _(framing: PixelFraming) -> _CoreSide:
    codes, bits = framing.codes, framing.unit_bytes * 8
    frame_units = framing.words * framing.word_units
    capacity = framing.most_units + framing.beat_units
    word_bits, lane_bits = framing.word_units * bits, codes.value_bytes * 8
    context = {
        "pixels": True,
        "words": framing.words,
        "images": framing.images,
        "word_range": _range(framing.words - 1),
        "held_range": _range(framing.images),
        "flags_range": names.vector(framing.images),
        "unit_bits": bits,
        "unit_range": names.vector(bits),
        "unit_part": names.part(0, bits),
        "units_range": _range(frame_units + framing.beat_units),
        "level_range": _range(capacity),
        "buffer_range": names.vector(capacity * bits),
        "padded_range": names.vector(word_bits),
        "frame_units": frame_units,
        "beat_units": framing.beat_units,
        "word_units": framing.word_units,
        "most_units": framing.most_units,
        "last_beat_units": framing.last_beat_units,
        "used_word": _mask(codes, framing.word_values, word_bits),
        "word_parts": [
            {
                "packed": names.part(k * codes.value_bits, codes.value_bits),
                "padded": names.part(k * lane_bits, codes.value_bits),
            }
            for k in range(framing.word_values)
        ],
    }
    ready = {"in_ready": Port("output", 1)}
    return _CoreSide(framing.word_values * codes.value_bits, ready, (), context)


def _mask(codes: Layout, count: int, bits: int) -> str:
    """A literal of `bits` bits, 1 where the first `count` codes of a frame have theirs."""
    value = (1 << codes.value_bits) - 1
    return f"{bits}'h{sum(value << 8 * codes.value_bytes * k for k in range(count)):x}"


def _results(framing: Framing) -> dict[str, Any]:
    results, lane_bits = framing.results, framing.results.value_bytes * 8
    total, used = results.beats * results.width_bits, results.frame_bytes * 8
    values = []
    for k in range(results.count):
        term = f"tracked{names.part(k * results.value_bits, results.value_bits)}"
        padded = names.zero_extended(term, results.value_bits, lane_bits)
        values.append({"padded": names.part(k * lane_bits, lane_bits), "term": padded})
    return {
        "result_range": names.vector(results.packed_bits),
        "packed_range": names.vector(total),
        "values": values,
        "tail": {"padded": names.part(used, total - used), "term": f"{total - used}'d0"} if total > used else None,
        "place_range": _range(framing.credits - 1),
        "sum_range": _range(2 * framing.credits),
    }


def _registers(registers: Sequence[Register]) -> dict[str, Any]:
    def word(register: Register) -> str:
        return f"{_WORD_BITS}'d{register.offset // 4}"

    counters = [register for register in registers if register.signal]
    events, latest = counters[:-1], counters[-1:]
    values = {event.name: f"was_{event.signal}" for event in events} | {last.name: last.signal for last in latest}
    context = {
        "address_range": names.vector(ADDRESS_BITS),
        "read_word_range": names.vector(_WORD_BITS),
        "word_part": names.part(2, _WORD_BITS),
        "counters": [register.signal for register in counters],
        "registers": [
            {
                "word": word(register),
                "name": register.name,
                "value": values.get(register.name, names.literal(register.value or 0, 32)),
            }
            for register in registers
        ],
    }
    if not counters:
        return context
    return {
        **context,
        "control_word": word(next(register for register in registers if register.name == CONTROL)),
        "events": [register.signal for register in events],
        "turns": [{"word": word(register)} for register in events],
        "last_word": word(counters[-1]),
        **_turns([register.signal for register in events]),
    }


def _turns(events: Sequence[str]) -> dict[str, Any]:
    """The parts of the counters and where they are at which turn: those of events, then two of cycles."""
    slots = len(events) + 2
    parts: list[dict[str, Any]] = [{"name": name, "when": "", "stale": "", "fresh": "", "rests": ""} for name in events]
    for k, measures in enumerate(("~second", "second")):
        stale, when = f"stale_{k}", f" & (measuring | ~({measures}))"
        parts.append(
            {"name": f"latency_{k}", "when": when, "stale": stale, "fresh": f" & ~{stale}", "rests": f"~({measures})"}
        )
    for k, part in enumerate(parts):
        part["places"] = [
            {"turn": turn, "place": (k - turn) % slots, "since": (turn - k - 1) % slots + 1} for turn in range(slots)
        ]
    return {
        "slots": slots,
        "parts": parts,
        "turn_range": names.vector(slots),
        "wanted_range": names.vector(len(events) + 1),
        "low_range": names.vector(LOW_BITS),
        "low_part": names.part(0, LOW_BITS),
        "high_range": names.vector(32 - LOW_BITS),
        "high_part": names.part(LOW_BITS, 32 - LOW_BITS),
    }
