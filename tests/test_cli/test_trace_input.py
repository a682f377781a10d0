"""`difflut trace-input`: every bit it prints is what PyTorch's own layers compute, for samples from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from report_builds import export
from small_models import Chain, SmallImages, fitted
from tools import require_package
from torch.utils._python_dispatch import TorchDispatchMode

from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.input_format import InputFormat
from difflut.inspect.circuits import open_circuit
from difflut.inspect.input_trace import load_codes, quantised, trace_input
from difflut.models import BaseModel, get_model
from difflut.training import predict_scores


def bits_of(layer: dict[str, Any]) -> list[int]:
    """The bits of a layer as --json gives them."""
    return [int(digit, 16) >> i & 1 for digit in layer["hex"] for i in range(4)][: layer["width"]]


class Lookups(TorchDispatchMode):
    """Keeps what every lut_lookup gives."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.difflut.lut_lookup.default:
            self.found.append(result.reshape(-1).int().tolist())
        return result


def layer_outputs(model: BaseModel, codes: torch.Tensor) -> list[list[int]]:
    """What each dense layer gives for one sample in PyTorch."""
    with torch.no_grad(), Lookups() as lookups:
        model(codes)
    return lookups.found


def test_every_bit_is_pytorch_s(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "trace-input", "mnist_bitflip_0", "--image", 7, "--json")
    result = json.loads(out)
    model = get_model("mnist_bitflip_0", pretrained=True)
    codes = torch.tensor(result["codes"], dtype=torch.int32).reshape(1, 28, 28)
    scores, classes = predict_scores(model, codes)
    assert status == 0
    assert (result["scores"], result["class"]) == (scores[0].tolist(), int(classes[0]))
    assert result["emitted_agrees"] is True and result["pytorch_agrees"] is True
    encoder, *layers = result["layers"]
    assert [bits_of(layer) for layer in layers] == layer_outputs(model, codes)
    assert [layer["ones"] for layer in layers] == [sum(bits_of(layer)) for layer in layers]
    netlist = open_circuit("mnist_bitflip_0").traced
    comparisons = sorted(zip(netlist.compare_feature.tolist(), netlist.compare_threshold.tolist(), strict=True))
    assert bits_of(encoder) == [int(result["codes"][feature] >= threshold) for feature, threshold in comparisons]


def test_convolutions_have_the_bits_of_every_position(tmp_path: Path) -> None:
    """Kernels, tree levels and pooling are layers of their own; the dense layer and the scores are PyTorch's."""
    model = fitted(SmallImages())
    codes = torch.randint(0, 256, (1, *model.input_shape), generator=torch.Generator().manual_seed(1)).int()
    export(model, tmp_path / "net")
    circuit = open_circuit(str(tmp_path / "net"))
    trace = trace_input(circuit, codes.reshape(-1).numpy())
    assert [layer.name for layer in trace.layers[1:]] == [f"layer {number}" for number in range(1, 7)]
    assert [len(layer.bits) for layer in trace.layers[1:3]] == [4 * 4 * 4, 4 * 2 * 2]
    assert trace.layers[-1].bits.astype(int).tolist() == layer_outputs(model, codes)[-1]
    scores, classes = predict_scores(model, codes)
    assert (list(trace.scores), trace.predicted) == (scores[0].tolist(), int(classes[0]))
    assert trace.ok and trace.pytorch_agrees is None


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of a model of 4 x 5 images in a folder whose name is not ASCII."""
    folder = tmp_path_factory.mktemp("trace") / "netz größe"
    export(fitted(Images()), folder)
    return folder


class Images(Chain):
    """Four rows of five pixels."""

    def __init__(self) -> None:
        super().__init__(20, ((12, 3), (8, 2)), 4)
        self.input_shape = (4, 5)

    def _forward_impl(self, x: torch.Tensor) -> torch.Tensor:
        return super()._forward_impl(x.flatten(1))


def test_samples_from_files(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_package("PIL", "report")
    from PIL import Image

    codes = np.random.default_rng(0).integers(0, 256, (4, 5)).astype(np.uint8)
    np.save(tmp_path / "codes.npy", codes)
    np.save(tmp_path / "zahlen ü.npy", codes.astype(np.float32) / np.float32(255))
    Image.fromarray(codes).save(tmp_path / "grau.png")
    Image.fromarray(np.stack([codes] * 3, axis=2)).save(tmp_path / "colour.png")
    results = []
    for name in ("codes.npy", "zahlen ü.npy", "grau.png", "colour.png"):
        status, out, _ = run(capsys, "trace-input", build, "--image", tmp_path / name, "--json")
        result = json.loads(out)
        assert status == 0 and result["sample"] == name and result["label"] is None
        results.append({key: result[key] for key in ("codes", "layers", "scores", "class")})
    assert all(result == results[0] for result in results)
    assert results[0]["codes"] == codes.reshape(-1).tolist()


def test_what_people_see(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_package("matplotlib", "report")
    np.save(tmp_path / "codes.npy", np.full((4, 5), 255, np.uint8))
    picture = tmp_path / "bild.svg"
    status, out, _ = run(capsys, "trace-input", build, "--image", tmp_path / "codes.npy", "--out", picture)
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "chain: codes.npy; reference simulator on the traced netlist"
    encoder = next(line for line in lines if line.startswith("  encoder: "))
    count = encoder.split()[1]
    assert encoder == f"  encoder: {count} of {count} are 1", "all thresholds are reached"
    assert "  emitted netlist: the same scores" in lines and f"  picture: {picture}" in lines
    assert not any(line.startswith("  PyTorch") for line in lines)
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_a_circuit_that_differs_is_a_failure(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The traced netlist of another model beside the emitted one."""
    first, other = store.read(build), export(fitted(Images(), seed=1), tmp_path / "other")
    files = {**other.files, store.TRACED_FILE: first.files[store.TRACED_FILE]}
    store.write(Build.of(other.info, files), tmp_path / "net")
    np.save(tmp_path / "codes.npy", np.arange(0, 200, 10, dtype=np.uint8))
    status, out, _ = run(capsys, "trace-input", tmp_path / "net", "--image", tmp_path / "codes.npy")
    assert status == 1 and "  emitted netlist: DIFFERS" in out


def test_pytorch_that_differs_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    model = fitted(Chain())
    model.save_checkpoint(tmp_path / "net.safetensors")
    circuit = open_circuit(str(tmp_path / "net.safetensors"), "small_models:Chain")
    codes = np.array([10, 60, 110, 160, 210, 250])
    assert trace_input(circuit, codes).pytorch_agrees is True
    wrong = trace_input(replace(circuit, model=fitted(Chain(), seed=1)), codes)
    assert wrong.pytorch_agrees is False and not wrong.ok


def test_numbers_become_the_codes_that_pytorch_would_take(tmp_path: Path) -> None:
    form = InputFormat(4, True, 2.0)
    model = fitted(Chain(input_format=form))
    export(model, tmp_path / "net")
    circuit = open_circuit(str(tmp_path / "net"))
    values = np.array([-9.0, -0.25, 0.25, 0.75, 3.4, 9.0], np.float32)
    expected = form.quantize(torch.from_numpy(values)).tolist()
    assert quantised(values, circuit, "here").tolist() == expected
    assert expected[0] == -8 and expected[-1] == 7


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("7", "the package ships no test samples for model 'chain'; give --data DIR"),
        ("missing.npy", "missing.npy: cannot be read ("),
        ("image.jpg", "image.jpg: expected the number of a test sample, or a file that ends in .npy or .png"),
        ("short.npy", "short.npy: holds uint8 (3,); expected one sample of 20 features, shape (4, 5)"),
        ("nan.npy", "nan.npy: holds values that are not finite"),
        ("large.npy", "codes run from 0 to 256; expected 0 to 255"),
        (
            "wide.png",
            "wide.png: is 4 pixels wide and 5 high; expected 5 and 4, as the model takes them: scale it first",
        ),
        ("text.png", "text.png: cannot be read ("),
    ],
)
def test_usage_errors(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    image: str, message: str,
) -> None:  # fmt: skip
    require_package("PIL", "report")
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    np.save("short.npy", np.zeros(3, np.uint8))
    np.save("nan.npy", np.full(20, np.nan))
    np.save("large.npy", np.array([0] * 19 + [256]))
    Image.fromarray(np.zeros((5, 4), np.uint8)).save("wide.png")
    Path("text.png").write_text("no picture")
    status, out, err = run(capsys, "trace-input", build, "--image", image)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {message}"), err


def test_test_samples_have_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    for image in ("10000", "-1"):
        status, _, err = run(capsys, "trace-input", "mnist_bitflip_0", "--image", image)
        assert (status, err) == (2, f"error: --image {image}: MNIST has the test samples 0 to 9999\n")
    status, _, err = run(capsys, "trace-input", "mnist_bitflip_0", "--image", 1, "--out", "x.gif")
    assert status == 2 and err == "error: --out x.gif: unknown picture format '.gif'; use .svg or .png\n"


def test_no_image_of_eight_bit_pixels(tmp_path: Path) -> None:
    export(fitted(Chain()), tmp_path / "net")
    with pytest.raises(Exception, match=r"no image of 8-bit pixels; give a \.npy file"):
        load_codes(tmp_path / "x.png", open_circuit(str(tmp_path / "net")))
