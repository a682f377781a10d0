"""The documents are right: their model trains and exports, their links lead somewhere, their commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from difflut.cli import cli
from difflut.data import mnist_test
from difflut.export.simulate import simulate
from difflut.export.trace import trace
from difflut.models import BaseModel
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
