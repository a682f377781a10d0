"""`difflut compile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from difflut.cli.common import json_option, model_option, print_json
from difflut.cli.completion import ModelName
from difflut.cli.export_command import model_of
from difflut.cli.foreign_options import foreign_arguments, foreign_options


@click.command(
    "compile",
    epilog="\b\nExamples:\n"
    "  difflut compile mnist_fc_8k_dwn\n"
    "  difflut compile my.safetensors --model my_models:Net --json\n"
    "  difflut compile build/mnist_fc_8k_dwn\n"
    "  difflut compile state.pt --classes 10 --tau 30 --binary-inputs 784",
)
@click.argument("source", type=ModelName(), metavar="NAME|CKPT|FILE|BUILD")
@model_option
@foreign_options
@json_option
def command(source: str, model_class: str | None, as_json: bool, **said: Any) -> None:
    """Compile a network for this machine's processor, compare it with PyTorch, and say how fast it is.

    NAME is a zoo model, CKPT a checkpoint, FILE a network of another library with the options of `difflut import`,
    BUILD a build directory. In Python `difflut.compile(model)` gives the function of codes. A C compiler is needed
    once: what it makes is kept in the user's cache. Plain C for a microcontroller: `difflut export NAME --target c`.
    """
    from difflut.compiled import compile, measure
    from difflut.errors import ConfigError

    arguments = foreign_arguments(**said)
    if Path(source, "build.json").is_file():
        if arguments or model_class is not None:
            raise ConfigError(f"{source} is a build, which has its circuit; leave the options about the model out")
        engine = compile(source)
    else:
        engine = compile(model_of(source, model_class, arguments))
    speed = measure(engine)
    if as_json:
        print_json(speed.to_json())
    else:
        click.echo(speed.text)
