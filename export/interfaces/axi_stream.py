"""The Verilog of an AXI4-Stream wrapper around a core with the plain interface, whether it takes whole samples or
pixels.

Why it has this shape, and what it costs, is docs/adr/0008-axi-stream.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from difflut.export.interfaces.framing import Framing, Layout, PixelFraming
from difflut.export.interfaces.registers import ADDRESS_BITS, CONTROL, LOW_BITS, Register
from difflut.export.verilog import names
from difflut.hdl_templates import render


def emit_wrapper(
    top: str, core: str, source: str, framing: Framing, output: str, registers: Sequence[Register]
) -> dict[str, str]:
    """The files of the wrapper, one module each, named like the module.

    Args:
        top: the name of the wrapper; its parts are named after it.
        core: the name of the module inside.
        source: the name of the netlist, for the comments.
        framing: the frames and the credits.
        output: "scores" or "class", the core's only result port.
        registers: the register map.
    """
    template, frames, words = _frames(framing)
    common: dict[str, Any] = {
        "source": names.comment(source),
        "codes": framing.codes,
        "results": framing.results,
        "credits": framing.credits,
        "data_range": names.vector(framing.codes.width_bits),
        **words,
        "result_range": names.vector(framing.results.packed_bits),
        "address_range": names.vector(ADDRESS_BITS),
    }
    around = {
        "core": core,
        "what": "the scores" if output == "scores" else "the class",
        "result_port": f"out_{output}",
        "registers": bool(registers),
        "counters": any(register.signal for register in registers),
    }
    parts = {
        "": ("axi_stream", around),
        "_frames": (template, frames),
        "_results": ("axi_results", _results(framing)),
    }
    if registers:
        parts["_registers"] = ("axi_registers", _registers(framing, registers))
    return {
        f"{top}{suffix}.v": render(f"{name}.v.j2", {**common, **context, "module": top + suffix})
        for suffix, (name, context) in parts.items()
    }


@singledispatch
def _frames(framing: Framing) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The template of the module that makes words for the core of frames, what it is given, and what all are told of
    these words.
    """
    codes = framing.codes
    bits = codes.beats * codes.width_bits
    older = f"frame{names.part(codes.width_bits, bits - codes.width_bits)}"
    context = {
        **_beats(codes),
        "frame_range": names.vector(bits),
        "frame_next": "newest" if codes.beats == 1 else names.concatenation(["newest", older]),
        "frame_part": names.part(0, codes.packed_bits),
    }
    return "axi_frames", context, {"pixels": False, "word_range": names.vector(codes.packed_bits)}


@_frames.register
def _(framing: PixelFraming) -> tuple[str, dict[str, Any], dict[str, Any]]:
    codes, code_bits, bits = framing.codes, framing.codes.value_bits, framing.unit_bytes * 8
    beat, word, most = framing.beat_units, framing.word_units, framing.most_units
    capacity = most + beat
    values, lane_bits = framing.word_values, codes.value_bytes * 8

    def next_buffer(left: int) -> str:
        kept = [f"shifted{names.part(0, left * bits)}"] if left else []
        free = [f"{(most - left) * bits}'d0"] if left < most else []
        return names.concatenation([*free, "s_axis_tdata", *kept])

    context = {
        **_beats(codes),
        **_counter("word_number", framing.words - 1),
        **_counter("level", capacity),
        **_counter("held", framing.images),
        "words": framing.words,
        "word_values": values,
        "word_parts": [
            {"packed": names.part(k * code_bits, code_bits), "padded": names.part(k * lane_bits, code_bits)}
            for k in range(values)
        ],
        "last_word": _literal(framing.words - 1, framing.words - 1),
        "unit_bits": bits,
        "buffer_range": names.vector(capacity * bits),
        "shifted": f"{{{word * bits}'d0, buffer{names.part(word * bits, (capacity - word) * bits)}}}",
        "places": [{"level": _literal(left, capacity), "next": next_buffer(left)} for left in range(most + 1)],
        "level_most": _literal(most, capacity),
        "level_word": _literal(word, capacity),
        "level_beat": _literal(beat, capacity),
        "level_last_beat": _literal(framing.last_beat_units, capacity),
        "images": framing.images,
        "flags_range": names.vector(framing.images),
        "answer": _extended("answer", framing.images),
        "entered": _extended("entered", framing.images),
    }  # fmt: skip
    return "axi_pixels", context, {"pixels": True, "word_range": names.vector(values * code_bits)}


def _results(framing: Framing) -> dict[str, Any]:
    results, lane_bits = framing.results, framing.results.value_bytes * 8
    total, used = results.beats * results.width_bits, results.frame_bytes * 8
    values = []
    for k in range(results.count):
        term = f"head{names.part(k * results.value_bits, results.value_bits)}"
        padded = names.zero_extended(term, results.value_bits, lane_bits)
        values.append({"padded": names.part(k * lane_bits, lane_bits), "term": padded})
    tail = {"padded": names.part(used, total - used), "term": f"{total - used}'d0"} if total > used else None
    return {
        **_beats(results),
        **_counter("count", framing.credits),
        **_counter("place", framing.credits - 1),
        "most": _literal(framing.credits, framing.credits),
        "last_place": _literal(framing.credits - 1, framing.credits - 1),
        "packed_range": names.vector(total),
        "values": values,
        "tail": tail,
        "beat_parts": [
            {
                "number": _literal(beat, results.beats - 1),
                "bits": names.part(beat * results.width_bits, results.width_bits),
            }
            for beat in range(results.beats)
        ],
        **{signal: _extended(signal, framing.credits) for signal in ("issue", "give", "in_valid")},
    }


def _registers(framing: Framing, registers: Sequence[Register]) -> dict[str, Any]:
    pending = framing.credits + 1  # one more frame may wait whole in the deserialiser
    word_bits, high_bits = ADDRESS_BITS - 2, 32 - LOW_BITS
    slots = _slots(registers) if any(register.signal for register in registers) else []
    context = {
        "slots": slots,
        "word_part": names.part(2, word_bits),
        "counter_words": [_word(register) for register in registers if register.signal],
        "words": f"{word_bits}'d{len(registers)}",
        "constants": [
            {
                "word": f"4'd{register.offset // 4}",
                "name": register.name,
                "value": names.literal(register.value or 0, 32),
            }
            for register in registers
            if not register.signal
        ],
    }
    if not slots:
        return context
    count = len(context["counter_words"])
    return {
        **context,
        **_counter("pending", pending),
        **_counter("low", (1 << LOW_BITS) - 1),
        "taken": _extended("frame_taken", pending),
        "sent": _extended("result_sent", pending),
        "control_word": _word(next(register for register in registers if register.name == CONTROL)),
        "wanted_range": names.vector(count),
        "wanted_zero": f"{count}'d0",
        "event_turns": names.part(1, count - 1),
        "low_bits": LOW_BITS,
        "low_most": _literal((1 << LOW_BITS) - 1, (1 << LOW_BITS) - 1),
        "high_range": names.vector(high_bits),
        "high_zero": f"{high_bits}'d0",
        "carry_extended": names.zero_extended("carry", 1, high_bits),
        "turn_range": names.vector(len(slots)),
        "turn_first": f"{len(slots)}'d1",
        "turn_rest": names.part(0, len(slots) - 1),
    }


def _slots(registers: Sequence[Register]) -> list[dict[str, str]]:
    """The counters in the order of their turns: those of events, and two of cycles, of which one measures while the
    other one has what was measured."""
    events = {"frames": "frame_taken", "results": "result_sent", "dropped_short": "frame_short",
              "dropped_long": "frame_long"}  # fmt: skip
    words = {register.signal: _word(register) for register in registers}
    slots = [{"name": name, "event": event, "word": words[name], "starts": ""} for name, event in events.items()]
    for name, chosen in (("latency_0", "~second"), ("latency_1", "second")):
        event = f"measuring & ~measured & {chosen}"
        slots.append({"name": name, "event": event, "word": "", "starts": f"start & {chosen}"})
    return [{**slot, "extended": _extended(f"{slot['name']}_event", (1 << LOW_BITS) - 1)} for slot in slots]


def _word(register: Register) -> str:
    """The number of its word, a literal."""
    return f"{ADDRESS_BITS - 2}'d{register.offset // 4}"


def _beats(layout: Layout) -> dict[str, str]:
    return {**_counter("beat", layout.beats - 1), "last_beat": _literal(layout.beats - 1, layout.beats - 1)}


def _bits(most: int) -> int:
    """The width of a counter from 0 to `most`."""
    return max(1, most.bit_length())


def _literal(value: int, most: int) -> str:
    return f"{_bits(most)}'d{value}"


def _counter(name: str, most: int) -> dict[str, str]:
    """Range, zero and one of a counter from 0 to `most`."""
    zero, one = _literal(0, most), _literal(1, most)
    return {f"{name}_range": names.vector(_bits(most)), f"{name}_zero": zero, f"{name}_one": one}


def _extended(signal: str, most: int) -> str:
    return names.zero_extended(signal, 1, _bits(most))
