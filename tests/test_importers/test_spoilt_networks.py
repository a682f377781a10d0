"""Whatever is spoilt in a network's file, `difflut import` gives a checkpoint or one message and runs nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from apart import Apart
from spoilt_networks import circuits, damaged, dictionaries, state_dicts

import difflut
from difflut import InputFormat
from difflut.errors import NetworkFileError

CODES: dict[str, Any] = {"tau": 1.0, "input_format": InputFormat()}
BITS: dict[str, Any] = {"tau": 1.0, "binary_inputs": 12, "classes": 3}


KINDS = [(dictionaries, CODES), (damaged, CODES), (state_dicts, BITS), (circuits, {})]


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize(("kind", "said"), KINDS)
def test_every_variant(
    kind: Callable[[], Iterator[tuple[str, bytes]]], said: dict[str, Any], step: int, tmp_path: Path
) -> None:
    path = tmp_path / "net.pt"
    ends = {"a network": 0, "a message": 0}
    for label, content in islice(kind(), 0, None, step):
        path.write_bytes(content)
        try:
            model = difflut.load_network(path, **said)
        except NetworkFileError as error:
            assert str(error).startswith(f"{path}: ") and len(str(error)) < 1000, label
            ends["a message"] += 1
        else:
            assert model.fitted, label
            ends["a network"] += 1
    assert ends["a message"] > 40 and ends["a network"] > 2, ends


def test_some_apart(tmp_path: Path) -> None:
    """Exit status, memory and what a terminal gets."""
    found = []
    with Apart() as apart:
        for label, content in islice((*dictionaries(), *damaged(), *state_dicts(), *circuits()), 0, None, 67):
            (tmp_path / "net.pt").write_bytes(content)
            line = ("import", "net.pt", "--out", "net.safetensors", "--tau", 1, "--input-bits", 8, "--divisor", 255)
            outcome = apart.run(line, tmp_path)
            if outcome.fault or (outcome.status == 2 and (tmp_path / "net.safetensors").exists()):
                found.append(f"{outcome.fault}: {label}: {outcome.raised or outcome.err}")
            (tmp_path / "net.safetensors").unlink(missing_ok=True)
    assert not found, "\n".join(found)
