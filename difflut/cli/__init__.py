"""The command line: one command a file, loaded when it is called."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from types import FrameType
from typing import Any

import click

from difflut._version import __version__
from difflut.errors import DifflutError
from difflut.progress import told
from difflut.quoting import terminal

_COMMANDS = (
    "list",
    "estimate",
    "train",
    "search",
    "evaluate",
    "import",
    "export",
    "compile",
    "verify",
    "prove",
    "synth",
    "report",
    "play",
    "show",
    "trace-input",
)

_EXAMPLES = """\b
Examples:
  difflut list
  difflut export mnist_fc_8k_dwn --target verilog
  difflut verify build/mnist_fc_8k_dwn
  difflut prove build/mnist_fc_8k_dwn
"""


class _LazyGroup(click.Group):
    """Imports a command's module, and with it torch, only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"difflut.cli.{cmd_name.replace('-', '_')}_command").command
        command = copy(found)
        command.params = [*found.params, *_told_options()]
        return command


def _told_options() -> list[click.Option]:
    """The options of every command that say what is told of its progress."""

    def tell(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            context.with_resource(told(**{str(parameter.name): value}))

    def option(*names: str, **settings: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=tell, **settings)

    return [
        option("-v", "--verbose", is_flag=True, help="Say on standard error what is done and how long it takes."),
        option("-q", "--quiet", is_flag=True, help="Show no progress."),
        option("--log-file", type=click.Path(dir_okay=False), help="Keep all messages and the output of tools here."),
    ]


@click.group(cls=_LazyGroup, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="difflut", prog_name="difflut")
def cli() -> None:
    """Train networks of lookup tables and turn them into verified FPGA circuits.

    Exit status: 0 done, 1 a check failed, 2 wrong usage or unusable input, 128 + N ended by signal N.
    """


class _Signalled(KeyboardInterrupt):
    """The process was told to end, by a signal other than Ctrl-C's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP, unless they are ignored, end a command as Ctrl-C does: tools end, nothing is left
    behind.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Signalled(number)

    replaced: list[int] = []
    try:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, stop)
                replaced.append(number)
    except ValueError:  # not in the main thread, which alone has handlers
        pass
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


class _Escaped:
    """A text stream on which characters that do not print are escaped, so that a text from a file does nothing to the
    terminal that shows it. It has no `buffer`, which would go past that.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str | bytes) -> int:
        text = text.decode(errors="replace") if isinstance(text, bytes) else text  # click's completion
        self._stream.write(terminal(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def _escaped_output() -> Iterator[None]:
    """The one place that escapes what commands print; what goes to standard error is escaped in `main`, as progress
    bars need control characters there.
    """
    stream = sys.stdout
    sys.stdout = _Escaped(stream)
    try:
        yield
    finally:
        sys.stdout = stream


def _end_with(message: str, status: int = 2) -> None:
    click.echo(terminal(f"error: {message}"), err=True)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    try:
        with _signals_interrupt(), _escaped_output():
            cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(terminal(shown.getvalue()), err=True, nl=False)
        sys.exit(2)
    except DifflutError as error:
        _end_with(str(error), error.exit_status)
    except BrokenPipeError:  # who reads our output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:  # of a path that a user gave: too long, forbidden, on a device that fails
        names = " and ".join(repr(name) for name in (error.filename, error.filename2) if name is not None)
        _end_with(f"{names or 'a file'}: {error.strerror or error}; give a path that can be used")
    except (click.Abort, KeyboardInterrupt) as stop:
        click.echo("interrupted", err=True)
        cause = stop if isinstance(stop, _Signalled) else stop.__cause__  # click's Abort hides it
        sys.exit(128 + (cause.number if isinstance(cause, _Signalled) else signal.SIGINT))
