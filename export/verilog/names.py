"""The one owner of Verilog identifiers, literals and comments."""

from __future__ import annotations

import re

from difflut.errors import ConfigError
from difflut.quoting import comment

# Of a module that a model's name becomes. Modules below it have longer names, which some file systems limit to 255.
LONGEST_MODULE_NAME = 80

# Verilog-2001 and SystemVerilog: an export must also compile in a project that reads all files as SystemVerilog.
_VERILOG = """
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
# VHDL-2008, in which the module may be instantiated.
_VHDL = """
    abs access after alias all and architecture array assert assume assume_guarantee attribute begin block body
    buffer bus case component configuration constant context cover default disconnect downto else elsif end entity
    exit fairness file for force function generate generic group guarded if impure in inertial inout is label
    library linkage literal loop map mod nand new next nor not null of on open or others out package parameter port
    postponed procedure process property protected pure range record register reject release rem report restrict
    restrict_guarantee return rol ror select sequence severity shared signal sla sll sra srl strong subtype then to
    transport type unaffected units until use variable vmode vprop vunit wait when while with xnor xor
"""
# Packages and libraries that are always there, words of YAML that are no texts, files that Windows does not have.
_OTHERS = """
    glbl ieee standard std textio unisim work
    false n no null off on true y yes
    aux com1 com2 com3 com4 con lpt1 lpt2 lpt3 nul prn
"""
RESERVED = frozenset((_VERILOG + _VHDL + _OTHERS).split())
# LUT6, FDRE, CARRY4, SB_DFF, RAM64x12, rPLL: vendors' primitives begin with a word in capitals.
_PRIMITIVE = re.compile(r"[pr]?[A-Z]+(?:[0-9_].*)?")

# How the names of modules and files of a build end, after its own name and an underscore. A name that ends so itself
# may be that of a module of another build: `net_core` of the build `net` with streams.
MODULE_ENDING = re.compile(
    r"_(?:core|frames|results|registers|shell|models|encoder|argmax|group_sum|dense|bits|lane|program"
    r"|(?:stage|map|kernel|count|greater|choose|dense_keep|ones)[0-9]+|(?:add|chain)[0-9]+(?:_[0-9]+)*c?)\Z",
    re.IGNORECASE,
)


def identifier(text: str) -> str:
    """The name of a module made from a model's name, the same for the same text; the one rule of such names.

    It is a plain identifier of Verilog and of VHDL, no word that they or others reserve, whatever the case, and no
    primitive: ASCII letters, digits and single underscores between them. Any other run of characters becomes one
    underscore, what begins with no letter, is reserved or may be a primitive begins with `m_`, and what ends like a
    part of a build ends with `_m`: builds of two names have no module in common.

    Raises:
        ConfigError: the name is too long.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    if not name[:1].isalpha() or name.lower() in RESERVED or _PRIMITIVE.fullmatch(name):
        name = f"m_{name}" if name else "m"
    if MODULE_ENDING.search(name):
        name = f"{name}_m"
    if len(name) > LONGEST_MODULE_NAME:
        raise ConfigError(
            f"the name {text[:LONGEST_MODULE_NAME]!a}... has {len(text)} characters; modules are called after it, so "
            f"at most {LONGEST_MODULE_NAME} are expected: give a shorter name"
        )
    return name


def check_identifier(text: str) -> str:
    """`text`, a name that a user chose for a module: what `identifier` leaves as it is.

    Raises:
        ConfigError: it is no such name; says which one is.
    """
    name = identifier(text)
    if name != text:
        raise ConfigError(
            f"the name {text!a} is no module's: a word that is reserved, a primitive's, that of a part of a build, or "
            f"not of letters, digits and single underscores between them; {name} is one"
        )
    return name


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


__all__ = [
    "LONGEST_MODULE_NAME",
    "MODULE_ENDING",
    "RESERVED",
    "check_identifier",
    "comment",
    "concatenation",
    "identifier",
    "literal",
    "part",
    "vector",
    "zero_extended",
]
