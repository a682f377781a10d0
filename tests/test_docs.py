"""The documents are right: their model trains and exports, their links lead somewhere, their commands exist."""

from __future__ import annotations

import ast
import importlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import tokenize
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from command_line import run
from tools import require_icarus, require_package, require_verilator

from difflut.cli import cli
from difflut.data import mnist_test
from difflut.export.builds.info import BuildInfo, Record
from difflut.export.builds.make import export_model
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.models import BaseModel, get_model
from difflut.training import predict_scores

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def documented_model() -> BaseModel:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (source,) = [block for block in blocks if "class Net(BaseModel)" in block]
    namespace: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), namespace)  # noqa: S102 (the README is ours)
    return namespace["Net"]()  # type: ignore[operator,no-any-return]


def test_the_readme_model_trains_and_exports() -> None:
    torch.manual_seed(0)
    images = mnist_test().subset(torch.arange(600))
    model = documented_model()
    model.fit_encoder(images.x)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(4):
        for start in range(0, 600, 100):
            batch = slice(start, start + 100)
            loss = torch.nn.functional.cross_entropy(model(images.x[batch]), images.y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.project()
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    scores, classes = predict_scores(model, images.x)
    outputs = simulate(trace(model), images.x.reshape(600, -1).numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())
    assert float((classes == images.y).float().mean()) > 0.8


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_exist(document: Path) -> None:
    context = cli.make_context("difflut", ["list"])
    for name, rest in re.findall(r"difflut ([a-z]+(?:-[a-z]+)?)((?: [^`\n#]*)?)", document.read_text()):
        if name not in cli.list_commands(context):
            assert name not in ("synth", "prove", "report"), f"{document.name} promises `difflut {name}`"
            continue
        command = cli.get_command(context, name)
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, (document.name, name, rest)


FOLDERS = "difflut|export|sim|hdl_templates|tests|docs|benchmarks"
PATHS = re.compile(rf"(?<![\w./*-])(?:{FOLDERS})/[\w./*-]*\w")
OF_A_BUILD = re.compile(r"sim/\w+\.v")  # a build has a folder of this name too
FILES = re.compile(r"(?<![\w./*\\-])\w+\.(?:py|j2)\b")  # of which the folder is not said
OF_USERS = {"click.py", "diabetes.py", "digits.py", "file.py", "my_models.py", "tables.py"}
NAMES = re.compile(r"(?<![\w./-])difflut(?:\.\w+)+")
IMPORTS = re.compile(r"from (difflut[\w.]*) import ((?:\w+, )*\w+)")


def prose(path: Path) -> str:
    """What a file says to people: docstrings and comments of Python, of another language everything."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [token.string for token in tokens if token.type == tokenize.COMMENT]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(ast.get_docstring(node, clean=False) or "")
    return "\n".join(found)


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    steps = name.split(".")
    for count in range(len(steps), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(steps[:count]))
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "difflut":
                return True  # it needs a package that is not installed
            continue
        for step in steps[count:]:
            found = getattr(found, step, None)
        return found is not None
    return False


def written_files() -> list[Path]:
    """The files of the repository that say something to people."""
    folders = [ROOT / folder for folder in FOLDERS.split("|")]
    found = [path for folder in folders for kind in ("py", "md", "j2") for path in folder.rglob(f"*.{kind}")]
    return [*found, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]


@cache
def written_names() -> set[str]:
    """Their names."""
    return {path.name for path in written_files()}


def missing_in(text: str) -> list[str]:
    """The paths of the repository, and the names of the package, that a text mentions and that are not there."""
    paths = {path for path in PATHS.findall(text) if not OF_A_BUILD.fullmatch(path)}
    missing = [path for path in paths if not any(ROOT.glob(path.replace("NAME", "*")))]
    missing += {*FILES.findall(text)} - OF_USERS - written_names()
    names = {*NAMES.findall(text)}
    for module, imported in IMPORTS.findall(text):
        names |= {f"{module}.{name}" for name in imported.split(", ")}
    return sorted(missing) + sorted(name for name in names if not is_there(name))


def test_paths_and_names_that_are_mentioned_exist() -> None:
    missing = {}
    for path in written_files():
        if found := missing_in(prose(path)):
            missing[str(path.relative_to(ROOT))] = found
    assert missing == {}


def keys_of(record: type) -> dict[str, Any]:
    """The keys of a part of `build.json` and the types of what they hold."""
    hints = typing.get_type_hints(record)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(record)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_keys_of_build_json_exist(document: Path) -> None:
    """A page's `part.key` is a key of the part of `build.json` that is called so."""
    missing = []
    for part, hint in keys_of(BuildInfo).items():
        records = [
            each for each in (hint, *typing.get_args(hint)) if isinstance(each, type) and issubclass(each, Record)
        ]
        known = {key for record in records for key in keys_of(record)}
        if known:
            named = re.findall(rf"`{part}\.(\w+)`", document.read_text(encoding="utf-8"))
            missing += [f"{part}.{key}" for key in named if key not in (*known, "py")]
    assert missing == []


def test_what_is_missing_is_found() -> None:
    text = (
        "see `export/nowhere.py`, tests/test_docs.py, export/*/netlist.py, difflut.export.nothing, difflut.codes.pack_x"
    )
    text += (
        "\nfrom difflut.export import nothing\n"
        "import difflut.cli; the build's sim/models.v, docs/adr/NAME.md, docs/NAME.py"
        "\nsee `gone.py`, `netlist.py`"
    )
    assert missing_in(text) == [
        *("docs/NAME.py", "export/nowhere.py", "gone.py"),
        *("difflut.codes.pack_x", "difflut.export.nothing"),
    ]


def test_troubleshooting_quotes_messages_that_exist() -> None:
    """Each message is found in the sources, its parts between "..." one by one."""
    folders = ("difflut", "export", "sim")
    sources = "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    texts = re.sub(r'"\s*\n\s*f?"', "", sources)  # string literals that follow each other are one
    rows = re.findall(r"^\| (`.*?) \| ", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    assert len(rows) > 15
    pieces = [piece for row in rows for quoted in re.findall(r"`([^`]+)`", row) for piece in quoted.split("...")]
    assert [piece for piece in pieces if piece.strip(" ()") not in texts] == []


def test_instantiate_asks_the_netlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python lines give the model's scores of the codes that they draw."""
    model = get_model("mnist_bitflip_20", pretrained=True)
    export_model(model, tmp_path / "build/mnist_bitflip_20")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/instantiate.md").read_text(), re.DOTALL)
    (source,) = [block for block in blocks if "from_text" in block]  # the others: test_instantiate.py
    namespace: dict[str, Any] = {}
    exec(compile(source, "instantiate.md", "exec"), namespace)  # noqa: S102 (the page is ours)
    scores, _ = predict_scores(model, torch.from_numpy(namespace["codes"].astype(np.uint8)))
    np.testing.assert_array_equal(namespace["outputs"].scores, scores.numpy())


def test_the_site_builds(tmp_path: Path) -> None:
    for package in ("material", "mkdocstrings"):
        require_package(package, "docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {str(path.relative_to(ROOT / "docs")) for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")}
    listed = re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text())
    assert sorted(listed) == sorted(pages), "mkdocs.yml lists every page once"


# What is smaller in a tutorial where its commands are tried in little time.
SMALLER = {
    "tutorial.md": {"output_width, 300": "output_width, 60", "(300, 200": "(60, 40", "--epochs 60": "--epochs 2"},
    "tabular.md": {"nodes=100": "nodes=40", "--epochs 20": "--epochs 2"},
}


def tutorial(page: str, smaller: Mapping[str, str] | None = None) -> tuple[dict[str, str], list[str]]:
    """The files that a tutorial saves, and its blocks of shell after the first, which installs difflut."""
    for package in ("sklearn", "pyosys", "pysat", "verilator"):
        require_package(package, "dev")
    text = (ROOT / "docs" / page).read_text()
    (require_icarus if "icarus" in text else require_verilator)()
    for old, new in (smaller or {}).items():
        assert old in text
        text = text.replace(old, new)
    names = re.findall(r"[Ss]ave this as `([\w.]+)`", text)
    sources = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(names) == len(sources) == 2
    install, *commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert install.startswith("pip install 'difflut[")
    return dict(zip(names, sources, strict=True)), commands


def check_printed(block: str, printed: str) -> None:
    """What a tutorial promises of a block's output."""
    if "difflut verify" in block:
        assert "agrees bit for bit" in printed
        assert "proved" in printed
    if "difflut show" in block:  # in the words of the table
        assert re.search(r"= a  .+ >= -?[\d.]+", printed)
        assert re.search(r"blood sugar +[\d.]+ mg/dl", printed) and "scores: slow: " in printed


@pytest.mark.parametrize("page", SMALLER)
def test_the_commands_of_the_tutorials_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them, in order, in an empty directory; in this process, and with smaller networks."""
    files, blocks = tutorial(page, SMALLER[page])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, source in files.items():
        (tmp_path / name).write_text(source)
        monkeypatch.setitem(sys.modules, Path(name).stem, sys)  # which ends with the test
        del sys.modules[Path(name).stem]
    for block in blocks:
        printed = ""
        for program, *arguments in (shlex.split(line) for line in block.splitlines()):
            if program == "python":
                runpy.run_path(*arguments)
                continue
            assert program == "difflut"
            status, out, err = run(capsys, *arguments)
            assert status == 0, f"{arguments}\n{out}\n{err}"
            printed += out
        check_printed(block, printed)
    assert page != "tutorial.md" or list(tmp_path.glob("build/digits/work/nextpnr-*/digits.bit"))


@pytest.mark.full
@pytest.mark.parametrize("page", SMALLER)
def test_the_tutorials_run(tmp_path: Path, page: str) -> None:
    """Its files are saved and its commands are given, in order, in an empty directory."""
    files, blocks = tutorial(page)
    for name, source in files.items():
        (tmp_path / name).write_text(source)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euxc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        check_printed(block, done.stdout)
