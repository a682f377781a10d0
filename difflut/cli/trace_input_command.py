"""`difflut trace-input`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from difflut.cli.chosen_sample import chosen_sample
from difflut.cli.common import data_options, json_option, model_option, print_json
from difflut.cli.completion import ModelName

if TYPE_CHECKING:
    from difflut.inspect.circuits import OpenedCircuit
    from difflut.inspect.input_trace import InputTrace

_DIGITS_A_LINE = 64
_INPUTS_SHOWN = 40


@click.command(
    "trace-input",
    epilog="\b\nExamples:\n"
    "  difflut trace-input build/mnist_fc_8k_dwn --image 7\n"
    "  difflut trace-input mnist_bitflip_20 --image 7 --out trace.png\n"
    "  difflut trace-input mnist_bitflip_20 --image digit.png --json\n"
    "  difflut trace-input build/cifar10_conv --image 3 --data cifar10/",
)
@click.argument("source", type=ModelName(), metavar="DIR|NAME|CKPT")
@click.option("--image", required=True, metavar="INDEX|FILE", help="A test sample by number, or a .npy or .png file.")
@data_options(False, "Directory with the data set; the MNIST test images ship with the package.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Draw it into this .png or .svg file.")
@model_option
@json_option
def command(
    source: str,
    image: str,
    data_dir: Path | None,
    dataset: str | None,
    data_note: str | None,
    download: bool,
    out: Path | None,
    model_class: str | None,
    as_json: bool,
) -> None:
    """Print what every layer of a circuit computes for one sample: encoder bits, node outputs, scores, class.

    DIR is a build made by `difflut export`; NAME a zoo model and CKPT a checkpoint, which are also run in PyTorch and
    must agree (exit status 1 if not). The bits are those of the traced netlist, which holds every node, in difflut's
    reference simulator: for the RTL's own registers see `difflut verify --waves`.
    """
    from difflut.errors import ConfigError
    from difflut.export.builds.store import check_output
    from difflut.inspect.circuits import open_circuit
    from difflut.inspect.input_trace import trace_input

    if out is not None:
        from difflut.report.figures import require_matplotlib
        from difflut.report.svg import FORMATS

        require_matplotlib()
        if out.suffix not in FORMATS:
            raise ConfigError(f"--out {out}: unknown picture format {out.suffix!r}; use {' or '.join(FORMATS)}")
    check_output("--out", out)
    circuit = open_circuit(source, model_class)
    codes, label, words = chosen_sample(circuit, circuit.model_name, image, data_dir, dataset, data_note, download)
    trace = trace_input(circuit, codes)
    if out is not None:
        from difflut.report.svg import save
        from difflut.report.trace_figure import draw_trace

        title = f"{circuit.model_name}: {words}{'' if label is None else f', label {label}'}"
        save(draw_trace(trace, circuit.shape, title), out)
    if as_json:
        extra = {
            "model": circuit.model_name,
            "sample": words,
            "label": label,
            "picture": None if out is None else str(out),
        }
        print_json({**extra, "simulator": "reference simulator on the traced netlist", **trace.to_json()})
    else:
        _show(circuit, trace, words, label)
        if out is not None:
            click.echo(f"  picture: {out}")
    sys.exit(0 if trace.ok else 1)


def _show(circuit: OpenedCircuit, trace: InputTrace, words: str, label: int | None) -> None:
    labelled = None if label is None else circuit.wording.class_name(label)
    known = "" if label is None else f" (label {labelled})"
    click.echo(f"{circuit.model_name}: {words}{known}; reference simulator on the traced netlist")
    width = max((len(name) for name, _, _ in trace.inputs), default=0)
    for name, number, code in trace.inputs[:_INPUTS_SHOWN]:
        click.echo(f"  {name:{width}}  {number}  (code {code})")
    if len(trace.inputs) > _INPUTS_SHOWN:
        click.echo(f"  and {len(trace.inputs) - _INPUTS_SHOWN} features more; --json has all")
    click.echo("bits in hexadecimal, four a digit, the first bit the lowest of the first digit")
    for layer in trace.layers:
        click.echo(f"  {layer.name}: {int(layer.bits.sum())} of {len(layer.bits)} are 1")
        for start in range(0, len(layer.hex), _DIGITS_A_LINE):
            click.echo(f"    {4 * start:>6}  {layer.hex[start : start + _DIGITS_A_LINE]}")
    click.echo(
        "  scores: " + "  ".join(f"{circuit.wording.class_name(k)}: {score}" for k, score in enumerate(trace.scores))
    )
    verdict = "" if label is None else ", right" if label == trace.predicted else f", wrong: the label is {labelled}"
    click.echo(f"  class: {trace.class_name}{verdict}")
    click.echo(f"  emitted netlist: {'the same scores' if trace.emitted_agrees else 'DIFFERS'}")
    if trace.pytorch_agrees is not None:
        click.echo(f"  PyTorch: {'the same scores and class' if trace.pytorch_agrees else 'DIFFERS'}")
