"""Which tool is taken, and which device."""

from __future__ import annotations

from pathlib import Path

import pytest

from difflut.errors import UnknownNameError
from difflut.export.errors import ToolError
from difflut.export.families.lattice import ECP5, ICE40
from difflut.export.families.registry import find_device, find_family, placed_devices
from difflut.export.flows import tools


def executable(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return path


def test_a_tool_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = executable(tmp_path, "nextpnr-ice40", "echo 'nextpnr-ice40 -- version 0.99' >&2")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = tools.find_tool(ICE40.nextpnr.place)
    assert found == tools.Tool("nextpnr-ice40", (str(path),), f"{path}: nextpnr-ice40 -- version 0.99")
    executable(tmp_path, "nextpnr-ice40", "exit 1")
    assert tools.find_tool(ICE40.nextpnr.place).version == f"{path}: unknown"


def test_a_missing_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        tools.find_tool(ECP5.nextpnr.packer)
    assert str(caught.value) == (
        "ecppack is missing: it is not on PATH, and pip install 'difflut[pnr]' brings it as a Python package"
    )


def test_devices_are_found_by_the_beginning_of_their_names() -> None:
    family, placing, device = find_device("lfe5u-85f", find_family("generic"))
    assert family is ECP5 and placing is ECP5.nextpnr and device.part == "LFE5U-85F-6BG381C"
    assert find_device(None, ICE40)[2].part == "iCE40HX8K-CT256"
    with pytest.raises(UnknownNameError) as caught:
        find_device("ice40hx", ICE40)
    assert str(caught.value) == "device 'ice40hx' is ambiguous: iCE40HX8K-CT256, iCE40HX1K-TQ144"
    with pytest.raises(UnknownNameError) as caught:
        find_device("xc7a35t", find_family("xc7"))
    assert (
        str(caught.value)
        == f"unknown device 'xc7a35t'; known: {', '.join(device.part for _, _, device in placed_devices())}"
    )
    message = "the build is for xcup, which nextpnr does not place for; export it with --fpga ice40, ecp5 or gowin, or "
    with pytest.raises(ToolError, match=f"{message}choose"):
        find_device(None, find_family("xcup"))
