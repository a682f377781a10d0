"""A device chooses its family, whether it is listed or not."""

from __future__ import annotations

import pytest
from command_line import run

from difflut.cli.circuit_options import circuit_arguments
from difflut.errors import ConfigError, UnknownNameError
from difflut.export.families.registry import FAMILIES, chosen_family, family_of_device

PARTS = [
    (device.part, name)
    for name, family in FAMILIES.items()
    if family.part_names
    for device in family.devices
    if device.part
]
OTHERS = [
    ("xc7a35t", "xc7"),
    ("XC7Z020clg400-1", "xc7"),
    ("xczu3eg-sbva484-1-e", "xcup"),
    ("xcku5p", "xcup"),
    ("iCE40 UP5K", "ice40"),
    ("LFE5U-45F", "ecp5"),
    ("GW2A-55", "gowin"),
]


@pytest.mark.parametrize(("device", "family"), [*PARTS, *OTHERS])
def test_a_device_is_of_one_family(device: str, family: str) -> None:
    assert family_of_device(device).name == chosen_family(device, None) == chosen_family(device, family) == family


@pytest.mark.parametrize("device", ["xcku040", "5CSEBA6U23I7", "", "a35t"])
def test_unknown_devices_are_refused(device: str) -> None:
    with pytest.raises(UnknownNameError, match="is of no known FPGA family; such are xc7a35tcpg236-1, "):
        family_of_device(device)


def test_a_device_of_another_family_is_refused() -> None:
    assert chosen_family(None, "ecp5") == "ecp5" and chosen_family(None, None) is None
    with pytest.raises(ConfigError, match="device 'xc7a35t' is of the family xc7, not of ecp5; leave one of them out"):
        chosen_family("xc7a35t", "ecp5")


def test_the_commands_take_it(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"interface": "plain", "stream_width": None, "stream_output": None, "registers": None, "outputs": "both",
             "clock_enable": False, "pipeline": None, "conv": "unrolled", "fmax": None, "latency": None}  # fmt: skip
    assert circuit_arguments(**given, fpga="generic", device="xc7a35t")["fpga"] == "xc7"  # type: ignore[arg-type]
    status, _, err = run(capsys, "export", "mnist_bitflip_20", "--device", "xc7a35t", "--fpga", "ecp5")
    assert status == 2 and "device 'xc7a35t' is of the family xc7, not of ecp5" in err
    status, _, err = run(capsys, "synth", "none", "--device", "nothing")
    assert status == 2 and "device 'nothing' is of no known FPGA family" in err
