"""What waveforms show besides the design: a module around it with the scores apart and the number of each sample.

Only runs that keep waveforms have this module. `difflut.sim.bench` and `difflut.sim.axi_bench` write the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from difflut.export.interfaces.ports import stream_ports
from difflut.export.verilog.design import Port
from difflut.export.verilog.ports import CLOCK, flag_in, flag_out, reset, vector_in, vector_out
from difflut.hdl_templates import render
from difflut.sim.axi_interface import AxiInterface
from difflut.sim.interface import ENABLE, SAMPLE_IN, SAMPLE_OUT, Ports, RtlInterface

_CORE = "core"  # the instance in a module with streams


@dataclass(frozen=True)
class Signal:
    """A signal of the module around the design: its name, width, and the expression that drives it."""

    name: str
    width_bits: int
    value: str


@dataclass(frozen=True)
class WaveTop:
    """The module around a design; `Ports` of a bench.

    Attributes:
        inside: the design.
        ports: the ports of it.
        groups: the title of each group of signals that a viewer shows, and the ports and signals in it.
        signals: what is added.
    """

    inside: Ports
    ports: tuple[Port, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    signals: tuple[Signal, ...]

    @property
    def top(self) -> str:
        """The name of the module; the design is the instance of its own name in it."""
        return f"{self.inside.top}_waves"

    @property
    def driven_ports(self) -> tuple[str, ...]:
        """Those of the design, and the numbers of samples."""
        return (*self.inside.driven_ports, SAMPLE_IN, SAMPLE_OUT)

    @property
    def read_ports(self) -> tuple[str, ...]:
        """Those of the design."""
        return self.inside.read_ports

    def verilog(self) -> str:
        """The text of the module."""
        numbers = (SAMPLE_IN, SAMPLE_OUT)
        return render("waves.v.j2", {"view": self, "inside": self.inside.top, "numbers": numbers})

    def gtkwave(self, waves: str) -> str:
        """A save file for GTKWave, to lie beside the waveform file `waves`."""
        widths = {port.name: port.width_bits if port.vector else 0 for port in self.ports}
        widths |= {signal.name: signal.width_bits for signal in self.signals} | {SAMPLE_IN: 32, SAMPLE_OUT: 32}
        groups = [(title, [(name, widths[name]) for name in names]) for title, names in self.groups]
        return render("waves.gtkw.j2", {"waves": waves, "scope": self.top, "groups": groups})


@singledispatch
def wave_top(interface: Ports) -> WaveTop:
    """The module around a design with these ports."""
    raise TypeError(f"waves of {type(interface).__name__}")


@wave_top.register
def _(interface: RtlInterface) -> WaveTop:
    results = {
        "out_scores": interface.classes * interface.score_width_bits,
        "out_class": interface.class_width_bits,
        "out_top": interface.ranks * interface.class_width_bits,
    }
    ready = tuple(port for port in interface.read_ports if port == "in_ready")
    ports = (
        CLOCK,
        *([flag_in(ENABLE)] if interface.clock_enable else []),
        reset(),
        flag_in("in_valid"),
        *map(flag_out, ready),
        vector_in("in_codes", interface.features * interface.width_bits),
        flag_out("out_valid"),
        *(vector_out(port, results[port]) for port in interface.result_ports),
    )
    apart: list[Signal] = []
    if interface.scores:
        apart += _fields("score", "out_scores", interface.classes, interface.score_width_bits)
    if interface.ranks:
        apart += _fields("rank", "out_top", interface.ranks, interface.class_width_bits)
    shown = [signal.name for signal in apart] + (["out_class"] if interface.best else [])
    control = tuple(port for port in interface.driven_ports if port in (CLOCK.name, ENABLE, "rst"))
    groups = (
        ("Clock", control),
        ("In", (SAMPLE_IN, "in_valid", *ready, "in_codes")),
        ("Out", (SAMPLE_OUT, "out_valid", *shown)),
    )
    return WaveTop(interface, ports, groups, tuple(apart))


@wave_top.register
def _(interface: AxiInterface) -> WaveTop:
    results, core = interface.framing.results, f"{interface.top}.{_CORE}"
    value = f"{core}.out_{interface.output}"
    apart = [Signal("core_valid", 1, f"{core}.out_valid")]
    if interface.output == "scores":
        apart += _fields("score", value, results.count, results.value_bits)
    else:
        apart.append(Signal("core_class", results.packed_bits, value))
    streams = {side: tuple(f"{side}_{name}" for name in ("tdata", "tvalid", "tready", "tlast")) for side in _SIDES}
    groups = (
        ("Clock", ("aclk", "aresetn")),
        ("In", (SAMPLE_IN, *streams["s_axis"])),
        ("Core", tuple(signal.name for signal in apart)),
        ("Out", (SAMPLE_OUT, *streams["m_axis"])),
    )
    ports = stream_ports(interface.framing.codes.width_bits, registers=bool(interface.constants))
    return WaveTop(interface, ports, groups, tuple(apart))


_SIDES = ("s_axis", "m_axis")


def _fields(name: str, vector: str, count: int, width_bits: int) -> Sequence[Signal]:
    return [Signal(f"{name}_{k}", width_bits, f"{vector}[{width_bits * k}+:{width_bits}]") for k in range(count)]
