"""The name of a build: what begins with it, and that builds of different names have no module in common."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from convolutions import Plan, Step, made
from hypothesis import given
from hypothesis import strategies as st
from small_models import Chain, fitted

from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.store import Build
from difflut.export.schedule.forms import Folded
from difflut.export.verilog import names

_FORMS: dict[str, dict[str, object]] = {
    "plain": {},
    "plain xc7": {"fpga": "xc7", "outputs": "top-2"},
    "axi": {"interface": "axi-stream"},
    "axi xcup": {"interface": "axi-stream", "fpga": "xcup"},
    "streaming": {"form": "streaming"},
    "axi streaming": {"form": "streaming", "interface": "axi-stream"},
    "folded": {"form": Folded(nodes_per_cycle=2)},
    "axi folded": {"form": Folded(nodes_per_cycle=2), "interface": "axi-stream"},
}


@cache
def build(form: str, seed: int = 0, name: str | None = "net_a") -> Build:
    """A build of a form, called `name`."""
    options = _FORMS[form]
    if "form" in options:
        model = made(Plan((1, 4, 4), (Step(2, (3, 3), padding=(1, 1)),), widths=(40, 30), seed=seed))
    else:
        model = fitted(Chain(8, ((16, 5), (12, 4))), seed)
    return make_build(model, name=name, **options)  # type: ignore[arg-type]


def modules(made: Build) -> set[str]:
    """The modules of the RTL."""
    return {found for text in made.rtl.values() for found in re.findall(r"^module (\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("form", _FORMS)
def test_modules_files_and_core_begin_with_the_name(form: str) -> None:
    made = build(form)
    assert made.info.name == "net_a" and made.info.core in ("net_a", "net_a_core")
    found = modules(made)
    assert {f"rtl/{module}.v" for module in found} == set(made.rtl) and "net_a" in found
    for module in found - {"net_a"}:
        assert module.startswith("net_a_") and names.MODULE_ENDING.search(module), module
    files = [Path(name) for name in made.files if not name.startswith("verify/") and name != "README.md"]
    assert {file.parts[0] for file in files} <= {"rtl", "sim", "sw", "tb", "net_a.core", "net_a.component.xml"}
    assert all(file.name.startswith("net_a") for file in files)
    core = yaml.safe_load(made.text("net_a.core"))
    assert core["name"].startswith("difflut:generated:net_a:")
    assert {target["toplevel"] for target in core["targets"].values()} == {"net_a"}
    assert core["name"] in made.text("README.md")


def test_the_name_is_the_model_s_by_default() -> None:
    assert build("plain", name=None).info.name == "chain"
    assert {name.replace("chain", "net_a") for name in build("plain", name=None).files} == set(build("plain").files)


def test_two_trainings_are_two_versions() -> None:
    again = make_build(fitted(Chain(8, ((16, 5), (12, 4)))), name="net_a")
    cores = [yaml.safe_load(made.text("net_a.core"))["name"] for made in (build("plain"), again, build("plain", 1))]
    first, same, second = cores
    assert first == same != second
    assert re.fullmatch(r"difflut:generated:net_a:\d+\.\d+\.\d+\.\d+", first)


@pytest.mark.parametrize(
    "name", ["net_core", "net_frames", "net_stage12", "a_group_sum", "a_chain0_6c", "a_add3_2", "a_Core", "a_models"]
)
def test_a_name_that_another_build_s_module_may_have_is_refused(name: str) -> None:
    message = rf"^the name '{name}' is no module's: .* part of a build.*; {name}_m is one$"
    with pytest.raises(ConfigError, match=message):
        names.check_identifier(name)
    assert names.identifier(name) == f"{name}_m"


@pytest.mark.parametrize(
    "name", ["", "a b", "a-b", "module", "LUT6", "4a", "nétz", "a\nb", "../a", "x" * 81, "net_core"]
)
def test_a_refused_name_leaves_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^the name '"):
        export_model(fitted(Chain()), tmp_path / "net", name=name)
    assert not (tmp_path / "net").exists()


_WORDS = st.lists(
    st.sampled_from(["net", "a", "core", "stage1", "dense", "group", "sum", "group_sum", "kernel3", "m", "models"]),
    min_size=1,
    max_size=4,
).map("_".join)


@given(_WORDS, _WORDS, st.data())
def test_builds_of_two_names_share_no_module(first: str, second: str, data: st.DataObject) -> None:
    first, second = names.identifier(first), names.identifier(second)
    if first == second:
        return
    endings = ["", "_core", "_core_dense", "_core_stage1", "_stage1", "_dense", "_dense_group_sum", "_dense_keep3"]
    endings += ["_core_kernel3", "_group_sum", "_core_group_sum", "_frames", "_models", "_core_chain0_6c", "_shell"]
    of_first = {first + ending for ending in endings}
    assert not of_first & {second + ending for ending in endings}


def test_named_and_unnamed_in_one_directory(tmp_path: Path) -> None:
    """A second export under another name leaves nothing of the first."""
    folder = export_model(fitted(Chain()), tmp_path / "net", name="net_a")
    export_model(fitted(Chain()), folder, name="net_b")
    made = store.read(folder)
    assert made.info.name == "net_b" and not any("net_a" in path.name for path in folder.rglob("*"))
