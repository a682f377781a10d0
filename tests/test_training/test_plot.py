"""The picture of a training run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tools import require_package

from difflut.errors import ConfigError
from difflut.files import WriteError
from difflut.training import plot_history

HISTORY = {"epoch": [1, 2, 3], "loss": [2.0, 1.0, 0.5], "validation_accuracy": [0.5, 0.9, 0.8]}


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")])
def test_formats(tmp_path: Path, name: str, start: bytes) -> None:
    require_package("matplotlib", "train")
    plot_history(HISTORY, tmp_path / name, "net on data")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start) and len(content) > 1000


def test_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_package("matplotlib", "train")
    figure_module = importlib.import_module("matplotlib.figure")
    drawn = []
    save = figure_module.Figure.savefig
    monkeypatch.setattr(
        figure_module.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))
    )
    plot_history(HISTORY, tmp_path / "a.png", "net on data")
    above, below = drawn[0].axes
    assert above.get_title() == "net on data"
    assert list(above.lines[0].get_ydata()) == [2.0, 1.0, 0.5]
    assert list(below.lines[0].get_ydata()) == [50.0, 90.0, 80.0]
    assert below.get_legend().get_texts()[0].get_text() == "chosen: epoch 2, 90.00 %"


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"drawing needs matplotlib \(.*\): pip install matplotlib"):
        plot_history(HISTORY, tmp_path / "a.png", "net")


def test_places_that_do_not_do(tmp_path: Path) -> None:
    require_package("matplotlib", "train")
    with pytest.raises(ConfigError) as caught:
        plot_history(HISTORY, tmp_path / "a.xls", "net")
    assert str(caught.value) == (f"--plot {tmp_path / 'a.xls'}: unknown picture format '.xls'; use .pdf, .png, .svg")
    with pytest.raises(ConfigError, match="no does not exist; make it first"):
        plot_history(HISTORY, tmp_path / "no" / "a.png", "net")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(WriteError):
        plot_history(HISTORY, tmp_path / "b.png", "net")
