"""Every block of Python or shell in the documents runs, with small networks and data in place of real ones, or a list
says why it does not.
"""

from __future__ import annotations

import re
import shlex
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run
from tools import require_icarus, require_package

import difflut
from difflut import models
from difflut.data import Dataset, Split, load_npz, mnist_test, registry
from difflut.data.registry import Source
from difflut.layers import LayerConfig
from difflut.models import BaseModel, CIFAR10Conv, MNISTFullyConnected, ZooEntry
from difflut.nodes import FAMILIES

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
# Pages whose blocks tests of their own run.
OF_OTHERS = {
    "tutorial.md": "test_docs.py",
    "tabular.md": "test_docs.py",
    "import.md": "test_importers",
    "instantiate.md": "test_instantiate.py",
}
# Lines of shell, by how they begin, on one page or on all, and why they are not run.
NOT_RUN = {
    "pip install": "the tests run in an environment that has it all",
    "make ": "CI gives the two commands themselves",
    "python benchmarks/": "hours on real data; tests/test_zoo_scripts.py runs them on small ones",
    "torchrun ": "tests/test_training/test_processes.py starts several processes",
    "fusesoc ": "tests/test_instantiate.py runs FuseSoC",
    "gtkwave ": "opens a window",
    "eval ": "makes the shell complete words; tests/test_progress.py tries it",
    "axi-stream.md: difflut prove": "minutes; tests/test_export/test_proof proves smaller cores in streams",
    "convolution.md: difflut verify": "minutes on 32 x 32 pixels; tests/test_check verifies smaller images",
    "difflut import": "tests/test_importers has networks of other libraries",
    "difflut search": "hours; tests/test_searching has small ones",
    "difflut synth": "tests/test_export/test_flows runs each tool once; none is quick",
    "difflut verify build/mnist_bitflip_20 --waves": "waves need Verilator: tests/test_check/test_verification.py",
}
# Blocks of Python, by how they begin, and why they are not run.
PARTS = {
    ("axi-stream.md", "from litex"): "a part of a system; tests/test_export/test_builds/test_litex.py makes one",
    ("axi-stream.md", "import pynq"): "needs a board; tests/test_export/test_builds/test_pynq.py runs the driver",
    ("custom-models.md", "super().__init__("): "one line of a class; tests/test_float_features.py has such models",
    ("search.md", "import difflut"): "minutes; tests/test_searching calls the same",
    (
        "simulation.md",
        "from pathlib",
    ): "its figures are of no build; tests/test_sim/test_run_rtl.py calls the same",
}
DONE: set[str] = set()  # checks that several pages give; one is enough
MNIST = ("mnist_fc_8k_dwn", "mnist_bitflip_5", "mnist_bitflip_20", "mnist_residual_init")


def blocks(page: Path, *languages: str) -> list[str]:
    """The blocks of a page in one of the languages, in order."""
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)


def lines(page: Path) -> list[str]:
    """The lines of shell of a page."""
    found = "".join(blocks(page, "sh", "bash")).splitlines()
    return [line.strip() for line in found if line.strip() and not line.strip().startswith("#")]


def reason(page: Path, line: str) -> str | None:
    """Why a line is not run; None if it is."""
    return next(
        (why for start, why in NOT_RUN.items() if f"{page.name}: {line}".startswith((start, f"{page.name}: {start}"))),
        None,
    )


@cache
def small(name: str) -> BaseModel:
    """A fitted network with the ports of one of the zoo, and a small part of its nodes."""
    torch.manual_seed(0)
    model = stand_in(name)
    model.fit_encoder(mnist_test().x[:200] if name in MNIST else torch.randint(0, 256, (20, 3, 32, 32)))
    model.info = {"data": "MNIST", "test_accuracy": 0.1, "test_samples": 10000}
    return model.freeze().eval()


def stand_in(name: str) -> BaseModel:
    if name in MNIST:
        return MNISTFullyConnected(name, (60, 40), n=4, bits=1)
    config = LayerConfig(n=3, initializer="residual")
    return CIFAR10Conv(name, kernels=(2, 2), depths=(1, 1), widths=(20,), bits=1, candidates=16, config=config)


def data(name: str) -> Dataset:
    """A small data set of the shape of MNIST or CIFAR-10."""
    images = mnist_test().subset(torch.arange(200))
    if name == "cifar10":
        images = Split(torch.randint(0, 256, (200, 3, 32, 32), dtype=torch.uint8), images.y)
    return Dataset(name, images, images.subset(torch.arange(20)))


@pytest.fixture(autouse=True)
def in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory where the documents' data and models are, small ones in place of the zoo's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    real = models._weights

    def weights(name: str) -> AbstractContextManager[Path]:
        if name not in (*MNIST, "cifar10_conv"):
            return real(name)
        file = tmp_path / f"{name}.zoo"
        if not file.exists():
            small(name).save_checkpoint(file, frozen=True)
        return nullcontext(file)

    monkeypatch.setattr(models, "_weights", weights)
    for name in (*MNIST, "cifar10_conv"):
        dataset = "mnist" if name in MNIST else "cifar10"
        monkeypatch.setitem(models.MODELS, name, ZooEntry(partial(stand_in, name), dataset, "a small one"))
    for name in ("mnist", "cifar10"):
        monkeypatch.setitem(registry.DATASETS, name, Source(name, lambda _, name=name: data(name)))  # type: ignore[misc]
    x, y = data("mnist").train.x.numpy(), data("mnist").train.y.numpy()
    np.savez(tmp_path / "my.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    plants = "".join(f"{length / 4},{('clay', 'sand')[length % 2]},{'abc'[length % 3]}\n" for length in range(12))
    (tmp_path / "plants.csv").write_text(f"petal length,soil,species\n{plants}")
    (source,) = [block for block in blocks(ROOT / "README.md", "python") if "class Net" in block]
    (tmp_path / "my_models.py").write_text(source.replace("2000", "40").replace("1000", "20").replace("=128", "=8"))


def make_builds(line: str) -> None:
    """Export the builds that a line names and that its page takes for granted."""
    for folder in re.findall(r"build/\w+", line.split("--out")[0]):
        if not line.startswith("difflut export") and not Path(folder).exists():
            name = Path(folder).name
            difflut.export_model(small(name if name in models.MODELS else MNIST[0]), folder)


def shortened(line: str) -> list[str]:
    """The words of a command, with options that make it quick."""
    words = shlex.split(line, comments=True)[1:]
    if words[0] == "verify":
        words += ["--simulator", "icarus", "--samples", "2"]
    elif words[0] == "train":
        words += ["--validation", "40", "--batch-size", "32", "--epochs", "1"]
    return words


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in OF_OTHERS and lines(page)], ids=lambda page: page.name
)
def test_shell(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for package in ("pyosys", "pysat", "matplotlib", "PIL"):
        require_package(package, "dev")
    require_icarus()
    from PIL import Image

    Image.fromarray(mnist_test().x[0].numpy()).save("digit.png")
    for line in lines(page):
        if reason(page, line) is None and line not in DONE:
            assert line.startswith("difflut "), f"{line!r} is neither run nor in NOT_RUN"
            make_builds(line)
            status, out, err = run(capsys, *shortened(line))
            assert status == 0, f"{line}\n{out}\n{err}"
            DONE.update({line} if line.startswith(("difflut verify", "difflut prove")) else ())


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in OF_OTHERS and blocks(page, "python")],
    ids=lambda page: page.name,
)
def test_python(page: Path) -> None:
    require_icarus()
    require_package("pysat", "dev")
    images, labels = mnist_test().x[:40], mnist_test().y[:40]
    known: dict[str, Any] = {
        "images": images,
        "labels": labels,
        "train_images": images,
        "batches": [(images, labels)],
        "train": torch.rand(50, 4),
        "x": torch.rand(5, 4),
        "codes": np.zeros((2, 3, 32, 32), np.uint8),
    }
    if page.name == "axi-stream.md":
        build = difflut.export_model(small("cifar10_conv"), "build/cifar10_conv", interface="axi-stream")
        layout, width = build.info.axi_stream.results, build.info.axi_stream.width_bits
        known["received"] = np.zeros((2, layout.beats, width // 8), np.uint8)
    families = dict(FAMILIES)
    try:
        for block in blocks(page, "python"):
            if any((page.name, start) in PARTS and block.startswith(start) for _, start in PARTS):
                continue
            if page.name == "custom-models.md" and "class" not in block:
                if "train_images" in block:
                    exec(Path("my_models.py").read_text(), known)  # noqa: S102 (the documents are ours)
                else:
                    known["model"] = small("cifar10_conv")
            exec(compile(block, page.name, "exec"), known)  # noqa: S102
            if "plants.npz" in block:
                made = load_npz("plants.npz")
                assert made.train.x.shape == (9, 3) and made.names.features == (
                    ("petal length", "soil clay", "soil sand")
                )
    finally:
        for name in set(FAMILIES) - set(families):
            del FAMILIES[name]


def test_the_lists_have_nothing_that_is_not_there() -> None:
    every = {text for page in PAGES for line in lines(page) for text in (line, f"{page.name}: {line}")}
    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in every)] == []
    there = {(page.name, block) for page in PAGES for block in blocks(page, "python")}
    assert [
        part for part in PARTS if not any(name == part[0] and text.startswith(part[1]) for name, text in there)
    ] == []
    assert set(OF_OTHERS) <= {page.name for page in PAGES}


def test_a_command_that_fails_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *shortened("difflut show mnist_fc_8k_dwn --node L9.9"))[0] == 2
    assert reason(ROOT / "README.md", "difflut show mnist_fc_8k_dwn") is None
