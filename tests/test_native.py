"""C is compiled once and kept; what is wrong with a compiler is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import require_tool

from difflut import native
from difflut.export.errors import ToolError

SOURCE = "int twice(int x) { return 2 * x; }\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def compiler(tmp_path: Path, body: str) -> str:
    """A compiler that counts its calls."""
    script = tmp_path / "compiler"
    script.write_text(f'#!/bin/sh\necho called >> "{tmp_path}/calls"\n{body}\n')
    script.chmod(0o755)
    return str(script)


def test_a_library_is_compiled_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", compiler(tmp_path, f'exec {require_tool("cc")} "$@"'))
    for _ in range(2):
        assert native.load("twice", SOURCE).twice(21) == 42
    assert (tmp_path / "calls").read_text().count("called") == 1
    assert native.load("twice", SOURCE.replace("2", "3")).twice(2) == 6
    assert len(list(cache.glob("simulators/*/twice.so"))) == 2


def test_a_compiler_that_does_not_know_this_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = 'case "$*" in *march*) exit 1;; esac\n'
    monkeypatch.setenv("CC", compiler(tmp_path, f'{refuse}exec {require_tool("cc")} "$@"'))
    assert native.load("twice", SOURCE).twice(3) == 6
    assert (tmp_path / "calls").read_text().count("called") == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo broken >&2; exit 3", "cannot compile twice.c: broken"),
        ("exit 0", "cannot compile twice.c: .it printed nothing"),
        ('while [ "$1" != -o ]; do shift; done; echo no > "$2"', "made of twice.c cannot be loaded"),
    ],
)
def test_what_is_wrong(body: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", compiler(tmp_path, body))
    with pytest.raises(ToolError, match=reason):
        native.load("twice", SOURCE)


def test_a_cache_that_cannot_be_locked_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("cc")

    def refuse(digest: str) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("difflut.sim.cache.place", refuse)
    with pytest.raises(ToolError, match=r"twice.c cannot be compiled: .*Permission denied"):
        native.load("twice", SOURCE)
