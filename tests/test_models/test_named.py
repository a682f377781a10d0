"""Models that users name as code, and constructor arguments that checkpoints keep."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from command_line import run as command

from difflut.errors import CheckpointError, ConfigError
from difflut.input_format import InputFormat
from difflut.layers import LayerConfig
from difflut.models import load_model, make_model
from difflut.models.arguments import Arguments, NotKept
from difflut.models.checkpoint import read_header

NET = """
from difflut import BaseModel, GroupSum, InputFormat, LayerConfig, LUTLayer, Thermometer


class Net(BaseModel):
    def __init__(self, widths, config, *, note=None):
        super().__init__("own_net", 4, 2, input_format=InputFormat(4, divisor=15.0))
        self.widths, self.config, self.note = widths, config, note
        self.encoder = Thermometer(bits=3)
        self.head = GroupSum(2, tau=2.0)

    def _build_layers(self):
        width = self.encoder.output_width
        for number, nodes in enumerate(self.widths):
            self.add_module(f"layer{number}", LUTLayer(width, nodes, self.config.n))
            width = nodes

    def _forward_impl(self, x):
        bits = self.encoder(x)
        for number in range(len(self.widths)):
            bits = self.get_submodule(f"layer{number}")(bits)
        return self.head(bits)


def small():
    return Net((8, 4), LayerConfig(n=3), note=open)


def nothing():
    return None


number = 3
"""
CALL = ((1, (2, 3), [4.5, None]), {"f": InputFormat(4, True, 2.0), "c": LayerConfig(n=4), "d": {"a": 1, 2: (3,)}})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path, before = tmp_path / "größe netze.py", list(sys.path)
    path.write_text(NET, encoding="utf-8")
    yield path
    sys.path[:] = before
    sys.modules.pop(path.stem, None)


def test_arguments_go_through_json() -> None:
    text = msgspec.json.encode(Arguments.of(CALL))
    assert msgspec.json.decode(text, type=Arguments).call() == CALL


@pytest.mark.parametrize("value", [torch.ones(1), open, 1 << 63, float("nan"), InputFormat, {1}, b"x"])
def test_what_is_not_kept_is_named(value: object) -> None:
    with pytest.raises(NotKept, match="argument 'given' is of type"):
        Arguments.of(((), {"given": [value]}))


@pytest.mark.parametrize(
    "content", [{"tuple": 3}, {"dict": [[1]]}, {"os.system": {"command": "x"}}, {}, {"tuple": [], "dict": []}]
)
def test_other_values_are_refused(content: object) -> None:
    with pytest.raises(ValueError, match=r"rgument|Expected"):
        Arguments(args=(content,)).call()


def saved(file: Path, reference: str) -> Path:
    torch.manual_seed(1)
    model = make_model(reference)
    model.fit_encoder(torch.randint(0, 16, (50, 4), dtype=torch.int32))
    path = file.with_name("net.safetensors")
    model.save_checkpoint(path)
    return path


def net(file: Path, *args: object, **kwargs: object) -> Path:
    make_model(f"{file}:small")  # imports the file
    torch.manual_seed(1)
    model = sys.modules[file.stem].Net(*args, **kwargs)
    model.fit_encoder(torch.randint(0, 16, (50, 4), dtype=torch.int32))
    path = file.with_name("net.safetensors")
    model.save_checkpoint(path)
    return path


def test_the_class_itself_is_taken_and_paths(file: Path) -> None:
    path = net(file, (12, 6), LayerConfig(n=2))
    module = sys.modules[file.stem]
    loaded = load_model(path, module.Net)
    assert (
        type(loaded) is module.Net and loaded.checkpoint_bytes() == load_model(path, f"{file}:Net").checkpoint_bytes()
    )
    path = saved(file, f"{file}:small")
    with pytest.raises(CheckpointError, match=r"^Net: the checkpoint was made by a model whose constructor was called"):
        load_model(path, module.Net)
    assert load_model(path, module.small).fitted
    with pytest.raises(ConfigError, match=r"^'Linear' is not a subclass of difflut\.models\.BaseModel$"):
        load_model(path, torch.nn.Linear)  # type: ignore[type-var]


def test_a_class_with_arguments_is_made_again(file: Path) -> None:
    path = net(file, (12, 6), LayerConfig(n=2), note={"who": "ä"})
    loaded = load_model(str(path), f"{file}:Net")
    assert (loaded.widths, loaded.config, loaded.note) == ((12, 6), LayerConfig(n=2), {"who": "ä"})
    assert [layer.out_width for _, layer in loaded.lut_layers()] == [12, 6]


def test_from_export_to_verify(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, build, reference = net(file, (12, 6), LayerConfig(n=2)), file.with_name("build"), f"{file}:Net"
    status, out, err = command(capsys, "export", path, "--model", reference, "--out", build)
    assert status == 0, err
    [following] = [line.removeprefix("next: ") for line in out.splitlines() if line.startswith("next: ")]
    arguments = shlex.split(following)
    assert arguments[:1] == ["difflut"] and arguments[-2:] == ["--model", reference]
    status, out, err = command(capsys, *arguments[1:], "--random-only", "--simulator", "none")
    assert (status, "agrees bit for bit" in out) == (0, True), err


def test_an_argument_that_is_not_kept_needs_a_function(file: Path) -> None:
    path = saved(file, f"{file}:small")
    assert read_header(path).not_kept == "argument 'note' is of type builtin_function_or_method"
    with pytest.raises(CheckpointError, match=r"argument 'note' is of type .*; name a function that makes the model"):
        load_model(str(path), f"{file}:Net")
    assert [layer.out_width for _, layer in load_model(str(path), f"{file}:small").lut_layers()] == [8, 4]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Net", "cannot be made: .*missing 2 required positional arguments"),
        ("nothing", "gives a NoneType"),
        ("number", "neither a class of models nor a function"),
        ("LayerConfig", "is not a subclass"),
        ("Missing", "cannot load model .*has no attribute 'Missing'"),
    ],
)
def test_what_makes_no_model(file: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_model(f"{file}:{name}")


def test_files_that_are_no_modules(tmp_path: Path) -> None:
    broken, taken = tmp_path / "broken_net.py", tmp_path / "json.py"
    broken.write_text("def (")
    taken.write_text("")
    for path, words in (
        (broken, "invalid syntax"),
        (taken, "another module 'json' is imported already"),
        (tmp_path / "none.py", "No such file"),
    ):
        with pytest.raises(ConfigError, match=words):
            make_model(f"{path}:Net")
    assert "broken_net" not in sys.modules


def test_a_constructor_without_parameters_needs_none_of_the_arguments(file: Path) -> None:
    path = net(file, (8, 4), LayerConfig(n=3), note=open)
    with file.open("a", encoding="utf-8") as text:
        text.write(
            "\n\nclass Same(Net):\n    def __init__(self):\n        super().__init__((8, 4), LayerConfig(n=3))\n"
        )
    del sys.modules[file.stem]
    assert [layer.out_width for _, layer in load_model(str(path), f"{file}:Same").lut_layers()] == [8, 4]
