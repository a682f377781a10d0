"""A build in a few lines, with the best that is known of it. Free of torch."""

from __future__ import annotations

from collections.abc import Iterator

from difflut.export.builds.info import BuildInfo, PipelineInfo, Pixels
from difflut.report.evidence import Known


def lines(info: BuildInfo, known: Known) -> Iterator[str]:
    """What a build is, for people."""
    netlist, pixels = info.netlist, info.pixels
    if pixels is None:
        yield (
            f"{netlist.comparators} comparators on {netlist.features_read} of {netlist.features} inputs, "
            f"{netlist.luts} LUTs, {netlist.classes} scores; about {known.size}"
        )
        yield f"latency {info.latency_cycles} cycle{'s' if info.latency_cycles != 1 else ''}, a new input every cycle"
    else:
        yield from _stream_lines(info, pixels)
    if (streams := info.axi_stream) is not None:
        yield (
            f"AXI4-Stream of {streams.width_bits} bits: {streams.codes.beats} beats a frame, {streams.results.beats} a "
            f"result; last beat in to last beat out {streams.latency_cycles} cycles"
        )
    if known.clock is not None:
        yield f"about {known.clock}"
    if (timing := info.timing) is not None:
        yield f"slowest by the estimate is {timing.slowest}"
    if info.pipeline is not None:
        yield from _trade_off(info, info.pipeline)


def _trade_off(info: BuildInfo, pipeline: PipelineInfo) -> Iterator[str]:
    """What other registers would cost and give, and which of it this build is."""
    of = f"the {info.schedule.pipelined}'s cycles"
    yield f"trade-off by the estimate, of {of}, clock and data flip-flops (--latency, --fmax, --pipeline choose):"
    assert info.timing is not None  # where registers are planned, stages are estimated
    slowest = max(stage.delay_ns for stage in info.timing.stages)
    own = (len(pipeline.registers_after), round(1e3 / slowest, 1), pipeline.register_bits)
    points = [(point.latency_cycles, point.fmax_mhz, point.register_bits) for point in pipeline.trade_off]
    for cycles, mhz, bits in sorted({*points, own}):
        mark = "*" if (cycles, bits) == (own[0], own[2]) else " "
        note = "" if (cycles, mhz, bits) in points else "  not among the best"
        yield f"{mark} {cycles:>3} cycle{' ' if cycles == 1 else 's'}{mhz:>8.1f} MHz{bits:>9,} FFs{note}"


def _stream_lines(info: BuildInfo, pixels: Pixels) -> Iterator[str]:
    """The same of a circuit that images enter pixel by pixel."""
    yield (
        f"{pixels.form}: {info.netlist.comparators} comparators, {info.luts_of('kernel')} LUTs of kernels and "
        f"{info.luts_of('layer')} of the dense part; {info.netlist.classes} scores"
    )
    buffers = f"{pixels.line_buffer_bits} bits of line buffers, {pixels.window_bits} of windows"
    if (program := pixels.program) is not None:
        yield (
            f"dense part: {program.nodes_per_cycle} LUT{'s' if program.nodes_per_cycle > 1 else ''} a cycle for "
            f"{program.program_cycles} cycles, with {program.table_bits} bits of tables and {program.connection_bits} "
            "of connections in memory"
        )
        yield f"{buffers}, {program.copies} copies of {program.copy_bits} bits of maps for the dense part"
    else:
        yield f"{buffers}, {pixels.collected_bits} of maps for the dense part"
    several = f", {pixels.pixels_per_cycle} at a time," if pixels.pixels_per_cycle > 1 else ""
    yield (
        f"latency {info.latency_cycles} cycles from the last pixel, an image of {pixels.pixels} pixels{several} "
        f"every {info.initiation_interval} cycles"
    )
