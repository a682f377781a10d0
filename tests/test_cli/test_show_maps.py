"""`difflut show --image`: every bit is the one that PyTorch's own layer computes, and the picture has just these."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from convolutions import FILTERED, MAJORITY, Plan, Stack, Step, made
from small_models import Chain, SmallImages, fitted, random_codes
from tools import require_package

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.schedule.forms import Form, Streaming
from difflut.inspect.image_maps import ImageCircuit, MapBits, image_maps, open_images
from difflut.models import BaseModel

PLAN = Plan((2, 6, 5), (Step(4, (3, 3), padding=(1, 1)), Step(0, (2, 2), (2, 2))), bits=2, read=(0, 2))


def maps_of_pytorch(model: BaseModel, codes: torch.Tensor) -> list[np.ndarray]:
    """What the encoders make of one sample, joined, and what each step of a `Stack` gives: bool (C, H, W)."""
    maps: list[torch.Tensor] = []
    hooks = [step.register_forward_hook(lambda _, __, output: maps.append(output[0])) for step in model.steps]
    inputs = model.steps[0].register_forward_pre_hook(lambda _, given: maps.append(given[0][0]))
    model(codes)
    for hook in (*hooks, inputs):
        hook.remove()
    return [bits.numpy() for bits in maps]


def unpacked(item: dict[str, Any]) -> np.ndarray:
    """The bits of a map in the JSON."""
    shape = item["channels"], item["rows"], item["columns"]
    bits = [int(digit, 16) >> place & 1 for digit in item["hex"] for place in range(4)]
    return np.array(bits[: int(np.prod(shape))], np.bool_).reshape(shape)


@pytest.mark.parametrize("plan", [PLAN, FILTERED, MAJORITY])
def test_the_bits_are_those_of_every_layer(plan: Plan) -> None:
    model = made(plan)
    images = circuit_of(model)
    for row in range(5):
        codes = random_codes(model, 5)[row : row + 1]
        maps = image_maps(images, codes.reshape(-1).numpy())
        expected = maps_of_pytorch(model, codes)
        found = [item.bits for item in maps.maps][-len(expected) :]  # behind a filter map 0 is the bits of the codes
        assert len(maps.maps) == len(expected) + (plan.kernels != ())
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert maps.pytorch_agrees is True


def circuit_of(model: BaseModel) -> ImageCircuit:
    from difflut.export.frontend.trace import trace_circuit

    return ImageCircuit(model.name, model.input_shape, model.input_format, trace_circuit(model), model)


def test_words_say_how_maps_are_made() -> None:
    made_of = [item.made for item in image_maps(circuit_of(made(PLAN)), np.zeros(60, np.int64)).maps]
    assert made_of == [
        "the encoded image",
        "3 × 3 windows of map 0, stride 1 × 1, padding 1 × 1",
        "2 × 2 windows of map 1, stride 2 × 2, each channel by itself",
    ]
    made_of = [item.made for item in image_maps(circuit_of(made(FILTERED)), np.zeros(40, np.int64)).maps]
    assert made_of[0] == "the bits of the codes, from the lowest"
    assert made_of[1].startswith("the encoded image: pixels, and sums of 3 × 3 windows of map 0")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A streaming and an unrolled build, a checkpoint, and an image."""
    folder = tmp_path_factory.mktemp("maps")
    model = made(Stack().plan)
    store.write(make_build(model, form=Streaming(1)), folder / "stream")
    store.write(make_build(model, form=Form()), folder / "unrolled")
    model.save_checkpoint(folder / "net.safetensors")
    np.save(folder / "x.npy", random_codes(model, 1)[0].numpy())
    return folder


def test_a_build_and_its_checkpoint_say_the_same(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [(files / "stream",), (files / "net.safetensors", "--model", "convolutions:stack")]
    found = []
    for source in sources:
        status, out, _ = run(capsys, "show", *source, "--image", files / "x.npy", "--json")
        assert status == 0
        found.append(json.loads(out))
    build, checkpoint = found
    assert (build.pop("pytorch_agrees"), checkpoint.pop("pytorch_agrees")) == (None, True)
    assert build == checkpoint
    model = made(Stack().plan)
    expected = maps_of_pytorch(model, torch.from_numpy(np.load(files / "x.npy"))[None])
    assert all(np.array_equal(unpacked(a), b) for a, b in zip(build["maps"], expected, strict=True))
    assert [sum(item["ones"]) for item in build["maps"]] == [int(bits.sum()) for bits in expected]
    status, out, _ = run(capsys, "show", files / "stream", "--image", files / "x.npy")
    assert "  map 1: 2 x 4 x 4, " in out and "padding 1 × 1\n" in out


def test_the_picture_has_the_bits(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In what is drawn, each small image is its channel; a file of either format, that names what it left out."""
    require_package("matplotlib", "report")
    from difflut.report.map_figure import draw_maps

    bits = np.random.default_rng(0).random((37, 3, 5)) < 0.5
    maps = image_maps(circuit_of(made(Stack().plan)), np.zeros(16, np.int64))
    given = type(maps)(maps.codes, (MapBits(0, "drawn", bits),), maps.scores, maps.predicted, "0", None)
    figure = draw_maps(given, (1, 4, 4), "title", most=35)
    drawn = np.ma.filled(figure.axes[2].get_images()[0].get_array(), np.nan)
    assert drawn.shape == (3 * 4 - 1, 16 * 6 - 1) and np.isnan(drawn[3]).all() and np.isnan(drawn[:, 5]).all()
    assert np.isnan(drawn[8:, 3 * 6 :]).all()
    for channel in range(35):
        y, x = channel // 16 * 4, channel % 16 * 6
        assert np.array_equal(drawn[y : y + 3, x : x + 5], bits[channel])
    assert figure.axes[2].get_title(loc="left") == "map 0: drawn; the first 35 of 37 channels of 3 × 5"
    for name in ("maps.svg", "maps.png"):
        status, out, err = run(
            capsys, "show", files / "stream", "--image", files / "x.npy", "--out", tmp_path / name, "--channels", 1
        )
        assert (status, err) == (0, "")
        assert out.endswith(f"{name}; it has the first 1 of 2 channels of map 1: --channels says how many\n")
        assert (tmp_path / name).stat().st_size > 1000
    text = (tmp_path / "maps.svg").read_text()
    assert "prefers-color-scheme: dark" in text and "currentColor" in text and "map 1: 3 × 3 windows of map 0" in text


def test_pictures_that_are_too_large() -> None:
    require_package("matplotlib", "report")
    from difflut.report.map_figure import draw_maps

    maps = image_maps(circuit_of(made(Stack().plan)), np.zeros(16, np.int64))

    def drawn(*shapes: tuple[int, int, int]) -> None:
        items = tuple(MapBits(k, "drawn", np.zeros(shape, np.bool_)) for k, shape in enumerate(shapes))
        draw_maps(type(maps)(maps.codes, items, maps.scores, 0, "0", None), (1, 4, 4), "title", most=4096)

    with pytest.raises(ConfigError) as wide:
        drawn((1, 1, 5000))
    assert str(wide.value) == "map 0 is 5,000 pixels wide; a picture has room for at most 1,296"
    with pytest.raises(ConfigError, match=re.escape("inches tall; draw fewer channels of a map (--channels)")):
        drawn(*[(4096, 16, 16)] * 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "neither of --node and --image; give --node L1.37 for one node, or --image 3 for the maps of an image"),
        (("--node", "L1.0", "--image", "x.npy"), "both of --node and --image; give --node L1.37 for one node, or"),
        (("--image", "x.npy", "--depth", "2"), "--depth says nothing beside --image; leave it out"),
        (("--node", "L1.0", "--data", "."), "--data says nothing beside --node; leave it out"),
        (("--image", "x.npy", "--out", "x.gif"), "--out x.gif: unknown picture format '.gif'; use .svg or .png"),
        (("--image", "3"), "the package ships no test samples for model 'stack'; give --data DIR"),
        (("--image", "none.npy"), "none.npy: cannot be read"),
    ],
)
def test_usage_errors(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(files)
    status, out, err = run(capsys, "show", "stream", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {message}"), err


def test_circuits_without_maps(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "show", files / "unrolled", "--image", files / "x.npy")
    assert status == 2 and "unrolled: the circuit has no maps; as exported it has each position of a kernel" in err
    fitted(Chain()).save_checkpoint(tmp_path / "chain.safetensors")
    status, _, err = run(
        capsys, "show", tmp_path / "chain.safetensors", "--model", "small_models:Chain", "--image", files / "x.npy"
    )
    assert status == 2 and err.startswith("error: ")
    fitted(SmallImages()).save_checkpoint(tmp_path / "small.safetensors")
    assert open_images(str(tmp_path / "small.safetensors"), "small_models:SmallImages").circuit.layers
