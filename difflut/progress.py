"""What is being done: a bar in a terminal, a plain line now and then in a log, and messages for `-v`. Free of torch.

Whatever may take seconds runs in a `task`. A terminal shows it from the first second on; elsewhere standard error gets
a line after five seconds and then every half minute. All tasks are told to the logger "difflut": their ends as INFO,
what external tools print as DEBUG.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from difflut.files import WriteError

LOGGER = logging.getLogger("difflut")
BAR_SECONDS, LINE_SECONDS, LINE_EVERY_SECONDS = 1.0, 5.0, 30.0
_TICK_SECONDS = 0.25
# Innermost last: inner tasks and notes come from code that knows nothing of the outer ones.
_running: list[Task] = []
_quiet = False


@dataclass
class Task:
    """Something that takes a while.

    Attributes:
        what: what is done, for people.
        total: of how much; None where nobody knows.
        unit: what is counted.
        done: how much of it.
        words: what is done now, or how it goes.
        hidden: whether nothing is shown of it, nor of tasks within it.
        started: when, in seconds of a clock of its own.
    """

    what: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    words: str = ""
    hidden: bool = False
    started: float = field(default_factory=time.monotonic)

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.done += count

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return time.monotonic() - self.started

    def __str__(self) -> str:
        amount = f" {self.done:,} of {self.total:,}{self.unit and f' {self.unit}'}" if self.total else ""
        words = f" {self.words}" if self.words else ""
        return f"{self.what}:{','.join(filter(None, (amount, words, f' {self.seconds:.0f} s')))}"


@contextmanager
def task(what: str, total: int | None = None, unit: str = "", *, done: int = 0, hidden: bool = False) -> Iterator[Task]:
    """Show that something is being done for as long as the context is entered.

    Args:
        what: what is done, for people.
        total: of how much, if that is known.
        unit: what is counted.
        done: how much of it is done before.
        hidden: show nothing of it, nor of tasks within it.
    """
    hidden = hidden or _quiet or any(outer.hidden for outer in _running)
    made = Task(what, total, unit, done, hidden=hidden)
    ended = threading.Event()
    show = threading.Thread(target=_show, args=(made, ended), daemon=True)
    _running.append(made)
    if not hidden:
        show.start()
    try:
        yield made
        LOGGER.info("%s: %.1f s", what, made.seconds)
    finally:
        ended.set()
        if not hidden:
            show.join()
        _running.remove(made)


def note(words: str) -> None:
    """Say what is being done now, within the innermost task; nothing outside of one."""
    if _running:
        _running[-1].words = words


def proceed(words: str, done: int, total: int) -> None:
    """The same, and how much of it is done."""
    if _running:
        _running[-1].words, _running[-1].done, _running[-1].total = words, done, max(1, total)


def row(text: str) -> None:
    """A line on standard error that stays, above the bar; nothing outside of a task or where it is hidden."""
    LOGGER.debug("%s", text)
    if _running and not _running[-1].hidden and sys.stderr is not None:
        tqdm.write(text, file=sys.stderr)


def _show(made: Task, ended: threading.Event) -> None:
    """Show a task until it ends; a thread of its own."""
    stream = sys.stderr
    terminal = stream is not None and stream.isatty()
    if ended.wait(BAR_SECONDS if terminal else LINE_SECONDS) or stream is None:
        return
    if terminal:
        _show_bar(made, ended)
        return
    while True:
        _line(stream, str(made))
        if ended.wait(LINE_EVERY_SECONDS):
            _line(stream, f"{made.what}: ended after {made.seconds:.0f} s")
            return


def _line(stream: Any, text: str) -> None:
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except (OSError, ValueError):  # closed by who reads it; the work goes on
        pass


def _show_bar(made: Task, ended: threading.Event) -> None:
    form = None if made.total else "{desc}: {elapsed}{postfix}"
    options = {"total": made.total, "initial": made.done, "unit": f" {made.unit or 'step'}", "bar_format": form}
    with tqdm(desc=made.what, leave=False, **options) as bar:
        bar.start_t -= BAR_SECONDS
        while not ended.wait(_TICK_SECONDS):
            if made.total and not bar.total:
                bar.bar_format = None
            bar.total, bar.n = made.total, made.done
            bar.set_postfix_str(made.words[:60], refresh=False)
            bar.refresh()


class _ToTerminal(logging.Handler):
    """Writes messages above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class _ToFile(logging.FileHandler):
    """A log file. What cannot be written is an error when it is closed, and not a traceback for each message."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: what could not be written is tried again, at the latest when the file is closed."""

    def close(self) -> None:
        """Close the file; raises WriteError."""
        try:
            super().close()
        except OSError as error:
            raise WriteError(
                f"cannot write {self.baseFilename}: {error.strerror}; choose another place for --log-file"
            ) from error


@contextmanager
def told(*, verbose: bool = False, quiet: bool = False, log_file: str | None = None) -> Iterator[None]:
    """What the options `-v`, `-q` and `--log-file` ask for, until the context is left.

    Args:
        verbose: messages on standard error, too.
        quiet: no bars and no lines.
        log_file: gets all messages and the output of external tools, at its end.

    Raises:
        OSError: the file cannot be opened.
    """
    global _quiet
    handlers: list[logging.Handler] = []
    before, level, _quiet = _quiet, LOGGER.level, quiet or _quiet
    if verbose:
        handlers.append(_ToTerminal(logging.INFO))
    if log_file is not None:
        handlers.append(_ToFile(log_file, encoding="utf-8", errors="backslashreplace"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    if handlers:
        wanted = logging.INFO if log_file is None else logging.DEBUG
        LOGGER.setLevel(min(level or wanted, wanted))
    for handler in handlers:
        LOGGER.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            LOGGER.removeHandler(handler)
            handler.close()
        LOGGER.setLevel(level)
        _quiet = before
