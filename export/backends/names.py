"""The one owner of Verilog identifiers, literals and comments."""

from __future__ import annotations

import re

from difflut.quoting import comment

# Verilog-2001 and SystemVerilog: an export must also compile in a project that reads all files as SystemVerilog.
_RESERVED_WORDS = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins
    binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
    constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
    else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
    endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect
    export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global
    highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input
    inside instance int integer interconnect interface intersect join join_any join_none large let liblist library local
    localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
    property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
    rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
    signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri
    tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
    vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
RESERVED = frozenset(_RESERVED_WORDS.split())


def identifier(text: str) -> str:
    """A simple Verilog identifier made from `text`, the same for the same text.

    Letters, digits and underscores are kept; any other run of characters becomes one underscore; a leading digit and a
    reserved word get the prefix or suffix that makes them legal.
    """
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text) or "_"
    if name[0].isdigit():
        name = f"m_{name}"
    return f"{name}_" if name in RESERVED else name


def literal(value: int, width_bits: int) -> str:
    """The sized hexadecimal literal of an unsigned value: `literal(10, 8)` is `8'h0a`."""
    if not 0 <= value < 1 << width_bits:
        raise ValueError(f"{value} does not fit an unsigned literal of {width_bits} bits")
    return f"{width_bits}'h{value:0{(width_bits + 3) // 4}x}"


def vector(width_bits: int) -> str:
    """The range of a vector declaration: `vector(8)` is `[7:0]`; one bit is `[0:0]`, so that it can be indexed."""
    return f"[{width_bits - 1}:0]"


def part(low: int, width_bits: int) -> str:
    """A constant part select: `part(8, 4)` is `[11:8]`, `part(8, 1)` is `[8]`."""
    return f"[{low}]" if width_bits == 1 else f"[{low + width_bits - 1}:{low}]"


def concatenation(terms: list[str]) -> str:
    """`{a, b, c}`, most significant first; a single term stays as it is."""
    return terms[0] if len(terms) == 1 else "{" + ", ".join(terms) + "}"


def zero_extended(expression: str, width_bits: int, to_bits: int) -> str:
    """`expression` of `width_bits` bits, padded with zeros to `to_bits` bits."""
    return expression if width_bits == to_bits else f"{{{to_bits - width_bits}'d0, {expression}}}"


__all__ = ["RESERVED", "comment", "concatenation", "identifier", "literal", "part", "vector", "zero_extended"]
