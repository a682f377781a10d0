"""Numbers that input codes must be made for: what PyTorch, the circuit and a user's own code make of them agrees."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from sklearn.datasets import load_breast_cancer, load_iris
from small_models import Chain, SmallImages, fitted, random_codes
from table_models import Cancer, Table
from tools import require_tool
from torch import Tensor

from difflut.check.verification import verify
from difflut.data import Split, mnist_test
from difflut.encoders import ENCODERS, DistributiveThermometer, make_encoder
from difflut.errors import ConfigError, DataError
from difflut.export.builds.info import from_bytes, to_bytes
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.values import ValueRefused
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.models import BaseModel
from difflut.training import accuracy, accuracy_unrounded


@cache
def table(load: Any) -> tuple[Split, Split]:
    """Training and test samples of a table of scikit-learn."""
    x, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y, part = torch.from_numpy(x[order]).float(), torch.from_numpy(y[order]).long(), 4 * len(x) // 5
    return Split(x[:part], y[:part]), Split(x[part:], y[part:])


def trained(model: BaseModel, split: Split, steps: int = 40) -> BaseModel:
    torch.manual_seed(0)
    model.fit_encoder(split.x).train()
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(split.x), split.y).backward()
        optimizer.step()
        model.project()
    return model.eval()


def circuit_accuracy(model: BaseModel, split: Split) -> float:
    """Of the traced netlist, on codes by NumPy."""
    codes = model.input_format.codes_of(split.x.numpy()).reshape(len(split), -1)
    return float((simulate(trace(model), codes).classes == split.y.numpy()).mean())


# The format is fitted


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - {"logarithmic"}))
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_a_table_has_the_accuracy_in_hardware_that_evaluate_says(load: Any, encoder: str) -> None:
    train, test = table(load)
    model = trained(Table(train.x.shape[1], int(train.y.max()) + 1, encoder=encoder), train)
    assert accuracy(model, test) == circuit_accuracy(model, test)
    assert accuracy(model, test) > 0.6
    unrounded = accuracy_unrounded(model, test)
    assert unrounded is not None and abs(unrounded - accuracy(model, test)) < 0.1
    assert accuracy_unrounded(model, Split(model.input_format.quantize(test.x), test.y)) is None


def test_mnist_after_normalize() -> None:
    """The accuracy of the circuit on the pixels is that of the model on the normalised ones."""
    images = mnist_test()
    pixels = Split(images.x[:3000], images.y[:3000])
    split = Split((pixels.x.float() / 255 - 0.1307) / 0.3081, pixels.y)
    form = InputFormat.fit(split.x, 8, shared=True)
    model = trained(Table(784, 10, input_format=form), split, steps=15)
    assert torch.equal(form.quantize(split.x), pixels.x.int())
    assert accuracy(model, split) == circuit_accuracy(model, split) > 0.25
    codes = pixels.x.numpy().reshape(3000, -1)
    assert float((simulate(trace(model), codes).classes == pixels.y.numpy()).mean()) == accuracy(model, split)
    with pytest.raises(DataError, match="the input codes cannot express features"):
        Table(784, 10, input_format=InputFormat()).fit_encoder(split.x)


def test_codes_that_cannot_express_the_data_name_features_and_remedy() -> None:
    train, _ = table(load_iris)
    with pytest.raises(DataError) as caught:
        Table(4, 3, input_format=InputFormat()).fit_encoder(train.x)
    low, high = float(train.x[:, 0].min()), float(train.x[:, 0].max())
    assert str(caught.value) == (
        "model 'table': the input codes cannot express features 0, 1, 2, 3 of the training data: feature 0 is from "
        f"{low:g} to {high:g}, its 8-bit codes stand for 0 to 1 in steps of 0.00392157. Fit the format to the data: "
        "give the model input_format=InputFormat.fit(training_data, bits), or input_bits=bits to have fit_encoder do it"
    )


@pytest.mark.parametrize(
    ("column", "expressible"),
    [
        ([0.0, 0.3, 0.6, 1.0], True),
        ([0.0, 0.3, 0.6, 1.001], True),  # the thresholds are within
        ([0.0, 0.001, 0.0012, 0.0015], False),  # one code for all
        ([-3.0, -2.0, -1.0, 0.5], False),
        ([0.5, 2.0, 3.0, 4.0], False),
        ([7.0, 7.0, 7.0, 7.0], True),  # nothing to tell apart
    ],
)
def test_what_the_default_format_expresses(column: list[float], expressible: bool) -> None:
    model = Table(1, 2, input_format=InputFormat())
    x = torch.tensor(column)[:, None]
    if expressible:
        assert model.fit_encoder(x).fitted
    else:
        with pytest.raises(DataError, match="cannot express feature 0 of the training data"):
            model.fit_encoder(x)
        assert not model.fitted


def test_a_format_is_stated_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Table(4, 3, input_bits=8, input_format=InputFormat())
    assert str(caught.value) == "model 'table': has an input_format and input_bits; give one of them"
    with pytest.raises(ConfigError) as caught:
        Table(4, 3, input_format=InputFormat(8, False, (1.0, 2.0)))
    assert str(caught.value) == ("model 'table': its input format is made for 2 features, its input_size is 4")
    with pytest.raises(DataError, match="Integers are codes already"):
        Table(4, 3).fit_encoder(torch.zeros(5, 4, dtype=torch.uint8))


def test_a_grid_is_that_of_each_feature() -> None:
    train, _ = table(load_iris)
    model = Table(4, 3)
    model.encoder = DistributiveThermometer(3, grid_bits=4)
    netlist = trace(trained(model, train, 2))
    assert (netlist.compare_threshold % 16 == 0).all()


def test_rows_of_features_that_share_an_encoder_keep_their_formats() -> None:
    class Rows(BaseModel):
        def __init__(self) -> None:
            super().__init__("rows", 4, 2, input_format=InputFormat(6, False, (1.0, 2.0, 4.0, 8.0), (0, 1, 2, 3)))
            self.encoder = make_encoder("thermometer", 3)

        def _build_layers(self) -> None:
            self.head = GroupSum(2)

        def _forward_impl(self, x: Tensor) -> Tensor:
            halves = x.reshape(-1, 2)  # two rows a sample
            self.encoder.thresholds = self.encoder.thresholds[:2]
            return self.head(self.encoder(halves).reshape(len(x), 12))

    model = fitted(Rows())
    codes = random_codes(model, 200)
    assert (simulate(trace(model), codes.numpy()).scores == model(codes).long().numpy()).all()


# It goes with the model


def test_a_checkpoint_has_the_fitted_format(tmp_path: Path) -> None:
    train, test = table(load_breast_cancer)
    model = trained(Cancer(), train, 5)
    for frozen in (False, True):
        model.save_checkpoint(tmp_path / "net.safetensors", frozen=frozen)
        loaded = Cancer().load_checkpoint(tmp_path / "net.safetensors")
        assert loaded.input_format == model.input_format != Cancer().input_format
        assert torch.equal(loaded(test.x), model(test.x))


def test_train_evaluate_export_and_verify_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = table(load_breast_cancer)
    arrays = {"x_train": train.x, "y_train": train.y, "x_test": test.x, "y_test": test.y}
    np.savez(tmp_path / "cancer.npz", **{key: value.numpy() for key, value in arrays.items()})
    net, name = tmp_path / "net.safetensors", "table_models:Cancer"
    data = ("--data", tmp_path / "cancer.npz", "--dataset", "npz")
    sizes = ("--validation", 50, "--batch-size", 50, "--epochs", 6)
    status, out, err = run(capsys, "train", name, *data, *sizes, "--out", net, "--device", "cpu")
    assert status == 0, err
    assert "constant in the training data" not in out
    status, out, _ = run(capsys, "evaluate", net, "--model", name, *data, "--json")
    evaluated = json.loads(out)
    assert evaluated["trained"]["test_accuracy"] == evaluated["accuracy"]
    assert evaluated["trained"]["test_accuracy_unrounded"] == evaluated["accuracy_unrounded"]
    _, out, _ = run(capsys, "evaluate", net, "--model", name, *data)
    differ = evaluated["accuracy"] != evaluated["accuracy_unrounded"]
    words = f"{100 * evaluated['accuracy_unrounded']:.2f} % on the numbers before they are rounded to the input codes"
    assert (words in out) == differ
    assert run(capsys, "export", net, "--model", name, "--out", tmp_path / "build")[0] == 0
    report = verify(tmp_path / "build", data=test, data_name="cancer", simulator="none", model_class=name)
    assert report.ok
    assert report.steps[0].accuracy == evaluated["accuracy"]
    status, out, _ = run(
        capsys,
        "trace-input",
        tmp_path / "build",
        "--image",
        3,
        "--data",
        tmp_path / "cancer.npz",
        "--dataset",
        "npz",
        "--json",
    )
    assert status == 0
    form = from_bytes((tmp_path / "build/build.json").read_bytes()).input.format
    assert json.loads(out)["codes"] == form.quantize(test.x[3:4])[0].tolist()


def test_both_figures_are_printed_where_they_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Codes of one bit tell a number's half, thresholds of the numbers more."""
    x = torch.rand(300, 30, generator=torch.Generator().manual_seed(0))
    x[:2] = torch.tensor([[0.0], [1.0]])
    model = Cancer()
    model.input_bits = 1
    model.fit_encoder(x)
    y = model.forward_unrounded(x).argmax(dim=1)
    assert accuracy(model, Split(x, y)) < 0.9
    model.save_checkpoint(tmp_path / "net.safetensors")
    np.savez(
        tmp_path / "rand.npz",
        **{f"{k}_{part}": v.numpy() for part in ("train", "test") for k, v in (("x", x), ("y", y))},
    )
    arguments = ("--model", "table_models:Cancer", "--data", tmp_path / "rand.npz", "--dataset", "npz")
    status, out, _ = run(capsys, "evaluate", tmp_path / "net.safetensors", *arguments)
    assert status == 0
    assert out.splitlines()[1:] == [
        "  100.00 % on the numbers before they are rounded to the input codes that hardware gets"
    ]


# How codes are made is written down

FORMS = {
    "pixels": InputFormat(),
    "fixed point": InputFormat(12, True, 256.0),
    "one offset": InputFormat(7, False, 1 / 3, -0.1),
    "wide": InputFormat(16, True, 3.7, 1e4),
    "each feature": InputFormat(
        9, False, (1.0, 1e-3, 0.1, 255.0, 7e5, 2.0**-100), (0.0, -5e5, 1e7, 0.1, 3e-4, 2.0**110)
    ),
    "offsets": InputFormat(5, False, 2.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)),
}


def numbers_around(form: InputFormat) -> np.ndarray:
    """float32 (N, 6): numbers of codes, ties between codes, their neighbours, and what is far outside."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(form.lowest - 3, form.highest + 4, (400, 6), generator=generator).double()
    codes = torch.cat([codes, codes + 0.5, torch.rand(200, 6, generator=generator) * 3 * form.highest])
    divisor, offset = (torch.from_numpy(part).double() for part in form.scaling)
    numbers = (codes / divisor + offset).float().numpy()
    far = np.repeat(np.array([[-np.inf], [np.inf], [-3e38], [3e38], [0.0], [-0.0]], np.float32), 6, axis=1)
    return np.concatenate([numbers, np.nextafter(numbers, np.float32(0)), far])


def _block(language: str, readme: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", readme, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("interface", ["plain", "axi-stream"])
def test_the_snippets_of_a_build_give_our_codes(
    name: str, interface: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = FORMS[name]
    model = fitted(Chain(input_format=form))
    export_model(model, tmp_path / "net", interface=interface)
    numbers = numbers_around(form)
    expected = form.codes_of(numbers)
    assert torch.equal(form.quantize(torch.from_numpy(numbers)), torch.from_numpy(expected))
    rounded = form.rounded(torch.from_numpy(numbers))
    assert torch.equal(rounded, form.values(torch.from_numpy(expected)))
    assert len(np.unique(expected)) > 20
    monkeypatch.chdir(tmp_path / "net")
    readme = Path("README.md").read_text()
    space: dict[str, Any] = {"samples": numbers}
    exec(_block("python", readme), space)  # noqa: S102 (what the build tells its user to run)
    np.testing.assert_array_equal(space["codes"], expected)
    code = _block("c", readme)
    (tmp_path / "main.c").write_text(
        code + "\n#include <stdio.h>\nint main(void)\n{\n    float x[CHAIN_FEATURES];\n    int32_t c[CHAIN_FEATURES];\n"
        "    while (fread(x, sizeof x, 1, stdin) == 1) {\n        codes_of_sample(x, c);\n"
        "        fwrite(c, sizeof c, 1, stdout);\n    }\n    return 0;\n}\n"
    )
    program = tmp_path / "codes"
    options = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-I", str(tmp_path / "net")]
    command = [require_tool("gcc"), *options, str(tmp_path / "main.c"), "-o", str(program), "-lm"]
    subprocess.run(command, check=True)
    out = subprocess.run([str(program)], input=numbers.tobytes(), capture_output=True, check=True).stdout
    np.testing.assert_array_equal(np.frombuffer(out, np.int32).reshape(expected.shape), expected)


def test_a_streaming_build_has_the_header_of_a_whole_sample() -> None:
    model = SmallImages()
    model.input_format = InputFormat(8, False, 255.0, -0.5)
    build = make_build(fitted(model), form="streaming", interface="axi-stream")
    assert "#define SMALL_IMAGES_FEATURES 48" in build.files["sw/small_images_codes.h"].decode()
    assert build.info.input.format == model.input_format
    assert "the model sees -0.5 + code / 255" in build.files["README.md"].decode()


def test_a_build_with_a_format_of_other_features_is_refused() -> None:
    info = make_build(fitted(Chain(input_format=FORMS["each feature"]))).info
    assert from_bytes(to_bytes(info)).input.format == FORMS["each feature"]
    import msgspec

    other = msgspec.structs.replace(info.input, divisor=(1.0, 2.0), offset=0.0)
    with pytest.raises(ValueRefused) as caught:
        from_bytes(to_bytes(msgspec.structs.replace(info, input=other)))
    assert str(caught.value) == (
        "build.json: cannot be read: divisor and offset are of 2 features; a sample of shape [6] has 6"
    )
