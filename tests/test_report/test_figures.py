"""Figures show what they are given, whatever its shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from tools import require_package

from difflut.check.records import RtlOutputs
from difflut.report import figures, svg


@pytest.fixture(autouse=True)
def matplotlib() -> None:
    require_package("matplotlib", "report")


def shown(figure: Any) -> list[Any]:
    """The arrays of a figure's images, masked entries as 0."""
    return [image.get_array().filled(0) for axes in figure.axes for image in axes.images]


def test_a_map_has_the_pixels_where_they_are() -> None:
    values = np.arange(6)
    (image,) = shown(figures.pixels(values, (2, 3), "reads"))
    assert image.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("shape", [(3, 2, 5), (5, 2, 3)])
def test_a_map_a_channel(shape: tuple[int, ...]) -> None:
    values = np.arange(1, 31)
    images = shown(figures.pixels(values, shape, "reads"))
    cube = values.reshape(shape) if shape[0] == 3 else np.moveaxis(values.reshape(shape), 2, 0)
    assert [image.tolist() for image in images] == cube.tolist()


@pytest.mark.parametrize("shape", [(12,), (12, 1), (2, 2, 1, 3), (6, 1, 2)])
def test_other_shapes_give_bars_or_maps(shape: tuple[int, ...]) -> None:
    values = np.arange(12)
    figure = figures.pixels(values, shape, "reads")
    if shape == (6, 1, 2):
        assert len(shown(figure)) == 2
    else:
        (stairs,) = figure.axes[0].patches
        assert stairs.get_data().values.tolist() == values.tolist()


@pytest.mark.parametrize("values", [np.zeros(4, int), np.array([0, 1, 0, 0]), np.array([5, 900, 0, 1])])
def test_extreme_maps(values: Any) -> None:
    assert svg.inline(figures.pixels(values, (2, 2), "reads"), "name", "words").count("<image") >= 1
    figures.per_pixel(values)


def test_thresholds_are_counted() -> None:
    figure = figures.thresholds(np.array([1, 1, 1, 255]), 0, 255)
    bars = figure.axes[0].patches
    assert len(bars) == 32
    assert [bar.get_height() for bar in bars if bar.get_height()] == [3, 1]
    narrow = figures.thresholds(np.array([-1, 0]), -2, 1).axes[0].patches
    assert [bar.get_height() for bar in narrow] == [0, 1, 1, 0]
    assert figures.thresholds(np.array([1] * 900 + [9, 100, 200]), 0, 255).axes[0].get_yscale() == "log"


def test_confusion_matrix() -> None:
    outputs = RtlOutputs(None, np.array([0, 1, 1, 2, 0]), None, np.array([0, 1, 2, 7]))
    matrix = figures.confusion_matrix(outputs, 3)
    assert matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    (image,) = shown(figures.confusion(outputs, 3))
    assert image.tolist() == matrix.tolist()


def test_ranked_and_scored_outputs_imply_the_class() -> None:
    ranked = RtlOutputs(None, None, np.array([[2, 1], [0, 1]]), np.array([2]))
    assert ranked.predicted().tolist() == [2, 0]
    tied = RtlOutputs(np.array([[3, 3, 1], [0, 4, 4]]), None, None, np.array([0]))
    assert tied.predicted().tolist() == [0, 1]


def test_margins_count_ties_apart() -> None:
    scores = np.array([[5, 1], [2, 2], [0, 3], [4, 4]])
    figure = figures.margins(scores, np.array([0, 0, 0, 1]))
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["wrong: 1", "tie: 2", "right: 1"]
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 4


def test_labels_that_the_model_does_not_have_are_left_out() -> None:
    figure = figures.margins(np.array([[5, 1], [2, 3], [9, 9]]), np.array([0, 7, 1]))
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["wrong: 0", "tie: 1", "right: 1"]


def test_scores_leave_out_random_samples() -> None:
    scores = np.array([[5, 1], [2, 3], [9, 9]])
    figure = figures.scores(scores, np.array([0, 0]))
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 4
    figures.score_distribution(scores)
    figures.score_distribution(scores[:, :1])


def test_inline_pictures_take_the_page_s_colours() -> None:
    figure = figures.luts_by_part(["encoder", "layer <1>"], ["encoder", "layer"], [3, 0], "LUTs")
    text = svg.inline(figure, "luts", 'a "b" <c>')
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == 'a "b" <c>'
    assert "currentColor" in text and figures.INK not in text and "font-family" not in text
    assert "Date" not in text and "http://www.w3.org" in text and "<script" not in text
    assert root.get("width") is None and root.get("viewBox")
    assert text == svg.inline(
        figures.luts_by_part(["encoder", "layer <1>"], ["encoder", "layer"], [3, 0], "LUTs"), "luts", 'a "b" <c>'
    )


@pytest.mark.parametrize("ground", [0.09, 1.0])
def test_rare_values_do_not_glow(ground: float) -> None:
    """The least value of a map of blues is near the page's ground, dark or light, and the largest is not."""
    faint, full = (colour[:3] * colour[3] + ground * (1 - colour[3]) for colour in figures.blues(0.12)([0.0, 1.0]))
    assert np.abs(faint - ground).mean() < 0.08
    assert np.abs(full - ground).max() > 0.3
    outputs = RtlOutputs(None, np.repeat([0, 1, 0], [50, 50, 1]), None, np.repeat([0, 1], [50, 51]))
    (image,) = figures.confusion(outputs, 2).axes[0].images
    assert image.to_rgba(np.array([[1.0]]))[0, 0, 3] < 0.2


def test_files_are_as_light_or_dark_as_the_reader_s_system(tmp_path: Path) -> None:
    figure = figures.per_pixel(np.array([1, 2, 2]))
    svg.save(figure, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    ElementTree.fromstring(text.encode())
    assert "prefers-color-scheme: dark" in text and "currentColor" in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert figures.INK in style and figures.INK not in text.replace(style, "")
    assert "#ffffff" not in text, "a ground of its own"
