"""`difflut show`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from difflut.cli.chosen_sample import chosen_sample
from difflut.cli.common import data_options, json_option, model_option, print_json
from difflut.cli.completion import ModelName
from difflut.shown import percent

if TYPE_CHECKING:
    from difflut.inspect.image_maps import ImageCircuit, ImageMaps
    from difflut.inspect.show import NodeFacts

_READERS_SHOWN = 8
_MOST_CHANNELS = 4096


@click.command(
    "show",
    epilog="\b\nExamples:\n"
    "  difflut show build/mnist_fc_8k_dwn --node L2.17\n"
    "  difflut show mnist_bitflip_20 --node L2.17 --depth 2 --out cone.svg\n"
    "  difflut show build/mnist_fc_8k_dwn --node L1.37 --json\n"
    "  difflut show cifar10_conv --image 3 --data cifar10/ --out maps.png",
)
@click.argument("source", type=ModelName(), metavar="DIR|NAME|CKPT")
@click.option("--node", metavar="L1.37", help="Layer (from 1) and node (from 0), as reports name it.")
@click.option("--image", metavar="INDEX|FILE", help="Maps of a test sample by number, or of a .npy or .png file.")
@click.option("--depth", type=click.IntRange(1, 8), help="LUT levels of the cone that are drawn, 2 by default.")
@click.option(
    "--channels", type=click.IntRange(1, _MOST_CHANNELS), help="Channels of a map that are drawn, 64 by default."
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="Draw the cone (.svg) or the maps (.svg, .png)."
)
@data_options(False, "Directory with the data set; the MNIST test images ship with the package.")
@model_option
@json_option
def command(source: str, node: str | None, image: str | None, as_json: bool, **options: Any) -> None:
    """Say what a node of a circuit computes, from what and for which class, and draw its cone; or, with --image, what
    each layer of a convolutional circuit makes of an image.

    DIR is a build made by `difflut export`; NAME a zoo model and CKPT a checkpoint, which are traced as an export
    would. --image wants a model or the build of a streaming or folded circuit; a model is also run in PyTorch and must
    agree (exit status 1 if not).
    """
    from difflut.errors import ConfigError

    if (node is None) == (image is None):
        raise ConfigError(
            f"{'neither' if node is None else 'both'} of --node and --image; give --node L1.37 for one node, or "
            "--image 3 for the maps of an image"
        )
    if node is not None:
        _refuse(options, "--node", ("channels", "data_dir", "dataset", "data_note", "download"))
        _show_node(source, node, as_json, options)
    else:
        assert image is not None
        _refuse(options, "--image", ("depth",))
        _show_maps(source, image, as_json, options)


def _refuse(options: dict[str, Any], beside: str, names: tuple[str, ...]) -> None:
    """Refuse options that say nothing of what is shown."""
    from difflut.errors import ConfigError

    for name in names:
        if options[name]:
            option = "--" + {"data_dir": "data"}.get(name, name).replace("_", "-")
            raise ConfigError(f"{option} says nothing beside {beside}; leave it out")


def _show_node(source: str, node: str, as_json: bool, options: dict[str, Any]) -> None:
    """What a node computes, and its cone as a picture."""
    from difflut.errors import ConfigError
    from difflut.export.builds.store import check_output
    from difflut.export.circuit.cone import find_cone
    from difflut.export.circuit.names import find_node
    from difflut.files import write_atomically
    from difflut.inspect.circuits import open_circuit
    from difflut.inspect.cone_drawing import draw_cone
    from difflut.inspect.show import describe

    out: Path | None = options["out"]
    if out is not None and out.suffix != ".svg":
        raise ConfigError(f"--out {out}: the picture is SVG; give a file name that ends in .svg")
    check_output("--out", out)
    circuit = open_circuit(source, options["model_class"])
    facts = describe(circuit, node)
    if out is not None:
        cone = find_cone(circuit.netlist, find_node(circuit.netlist, node), options["depth"] or 2)
        write_atomically(out, draw_cone(circuit, cone).encode())
    if as_json:
        print_json({**facts.to_json(), "picture": None if out is None else str(out)})
        return
    _show(facts)
    if out is not None:
        click.echo(f"  picture    {out}")


def _show_maps(source: str, image: str, as_json: bool, options: dict[str, Any]) -> None:
    """What each layer makes of an image, and a picture of it."""
    from difflut.errors import ConfigError
    from difflut.export.builds.store import check_output
    from difflut.inspect.image_maps import image_maps, open_images

    out: Path | None = options["out"]
    if out is not None:
        from difflut.report.figures import require_matplotlib
        from difflut.report.svg import FORMATS

        require_matplotlib()
        if out.suffix not in FORMATS:
            raise ConfigError(f"--out {out}: unknown picture format {out.suffix!r}; use {' or '.join(FORMATS)}")
    check_output("--out", out)
    images = open_images(source, options["model_class"])
    data = (options[name] for name in ("data_dir", "dataset", "data_note", "download"))
    codes, label, words = chosen_sample(images, images.model_name, image, *data)
    maps = image_maps(images, codes)
    drawn = None if out is None else _draw(images, maps, label, words, out, options["channels"])
    if as_json:
        extra = {"model": images.model_name, "sample": words, "label": label, "picture": out and str(out)}
        print_json({**extra, "simulator": "reference simulator on the traced circuit", **maps.to_json()})
    else:
        _print_maps(images, maps, label, words)
        if out is not None:
            click.echo(f"  picture: {out}{drawn}")
    sys.exit(1 if maps.pytorch_agrees is False else 0)


def _draw(images: ImageCircuit, maps: ImageMaps, label: int | None, words: str, out: Path, channels: int | None) -> str:
    """Draw the maps into a file; says which of them have more channels than are drawn."""
    from difflut.report.map_figure import CHANNELS, draw_maps, shown_channels
    from difflut.report.svg import save

    most = channels or CHANNELS
    title = f"{images.model_name}: {words}{'' if label is None else f', label {images.wording.class_name(label)}'}"
    save(draw_maps(maps, images.shape, title, most), out)
    cut = [item for item in maps.maps if shown_channels(item, most) < len(item.bits)]
    if not cut:
        return ""
    parts = [f"{shown_channels(item, most)} of {len(item.bits):,} channels of map {item.number}" for item in cut]
    return f"; it has the first {', '.join(parts)}: --channels says how many"


def _print_maps(images: ImageCircuit, maps: ImageMaps, label: int | None, words: str) -> None:
    named = images.wording.class_name
    known = "" if label is None else f" (label {named(label)})"
    click.echo(f"{images.model_name}: {words}{known}; reference simulator on the traced circuit")
    for item in maps.maps:
        size = " x ".join(f"{length:,}" for length in item.bits.shape)
        click.echo(f"  map {item.number}: {size}, {int(item.bits.sum()):,} of {item.bits.size:,} are 1; {item.made}")
    click.echo("  scores: " + "  ".join(f"{named(k)}: {score}" for k, score in enumerate(maps.scores)))
    verdict = "" if label is None else ", right" if label == maps.predicted else f", wrong: the label is {named(label)}"
    click.echo(f"  class: {maps.class_name}{verdict}")
    if maps.pytorch_agrees is not None:
        click.echo(f"  PyTorch: {'the same scores and class' if maps.pytorch_agrees else 'DIFFERS'}")


def _show(facts: NodeFacts) -> None:
    click.echo(f"{facts.node}: net {facts.net}, stage {facts.stage}")
    for number, name in enumerate(facts.inputs):
        click.echo(f"  input {number} = {'abcdefgh'[number]}  {name}")
    click.echo(f"  table      {facts.table} ({facts.ones} of {facts.entries} are 1; address bit i is input i)")
    shortest = "" if facts.minimal else "  (the shortest found)"
    click.echo(f"  function   {facts.function}{shortest}")
    for k, times in facts.votes.items():
        click.echo(f"  votes for  {facts.classes[k]}{f', {times} times' if times > 1 else ''}")
    if facts.readers:
        more = f" and {len(facts.readers) - _READERS_SHOWN} more" if len(facts.readers) > _READERS_SHOWN else ""
        click.echo(f"  read by    {', '.join(facts.readers[:_READERS_SHOWN])}{more}")
    reached = {k: count for k, count in enumerate(facts.reaches) if count}
    if not facts.votes:
        words = [f"{facts.classes[k]} ({count} bits)" for k, count in reached.items()]
        click.echo(f"  reaches    {', '.join(words) or 'no class'}")
    if facts.activity is not None:
        activity = facts.activity
        click.echo(f"  is 1 for   {percent(activity.share)} of the first {activity.samples} {activity.data}; by label:")
        click.echo("             " + "  ".join(f"{k}: {percent(share)}" for k, share in enumerate(activity.by_class)))
