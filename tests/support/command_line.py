"""Runs the command line in the tests' own process."""

from __future__ import annotations

import pytest

from difflut.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `difflut ARGUMENTS`."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
        raise SystemExit(0)  # main returns when click did not stop
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err
