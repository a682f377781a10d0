"""The FuseSoC core file of a build."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_models import Chain, fitted

from difflut.export.builds import store
from difflut.export.builds.make import export_model
from difflut.export.errors import BundleError


@pytest.mark.parametrize(
    ("fpga", "tool"), [("generic", None), ("ecp5", "trellis"), ("ice40", "icestorm"), ("xcup", "vivado")]
)
def test_the_core_file_names_every_source(tmp_path: Path, fpga: str, tool: str | None) -> None:
    folder = export_model(fitted(Chain()), tmp_path / "net", fpga=fpga)
    text = (folder / "chain.core").read_text()
    assert text.startswith("CAPI=2:\n")
    core = yaml.safe_load(text)
    vendor, library, name, version = core["name"].split(":")
    assert (vendor, library, name) == ("difflut", "generated", "chain") and version
    build = store.read(folder)
    listed = {file for fileset in core["filesets"].values() for file in fileset["files"]}
    assert listed == {name for name in build.files if name.endswith(".v") and not name.startswith("tb/")}
    assert core["filesets"]["rtl"]["files"] == list(build.rtl)
    assert all(target["toplevel"] == "chain" for target in core["targets"].values())
    used = {name.split("(")[-1].rstrip(")") for target in core["targets"].values() for name in target["filesets"]}
    assert used == set(core["filesets"])
    if "models" in used:  # for simulation by whoever depends on the core, not for synthesis
        assert core["targets"]["default"]["filesets"] == ["rtl", "!tool_vivado? (models)"]
        assert core["filesets"]["models"]["tags"] == ["simulation"]
    assert core["targets"].get("synth", {}).get("default_tool") == tool
    assert core["targets"].get("synth", {"filesets": ["rtl"]})["filesets"] == ["rtl"]  # no simulation models


def test_an_edited_core_file_is_an_edited_build(tmp_path: Path) -> None:
    folder = export_model(fitted(Chain()), tmp_path / "net")
    with (folder / "chain.core").open("a") as file:
        file.write("# edited\n")
    with pytest.raises(BundleError, match=r"chain\.core: differs from what was exported"):
        store.read(folder)
