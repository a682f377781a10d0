"""The checks on an interface."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rtl_fixture import INTERFACE

from difflut.errors import ConfigError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top": "a b"}, "top module 'a b' is not a plain Verilog identifier"),
        ({"features": 0}, "interface of vote: features must be an integer >= 1, got 0"),
        ({"classes": 2.0}, "interface of vote: classes must be an integer >= 1, got 2.0"),
        ({"latency_cycles": -1}, "interface of vote: latency_cycles must be an integer >= 0, got -1"),
        ({"width_bits": True}, "interface of vote: width_bits must be an integer >= 1, got True"),
        ({"score_width_bits": 64}, "interface of vote: score_width_bits must be <= 63, got 64"),
    ],
)
def test_bad_interfaces(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(INTERFACE, **change)
    assert str(caught.value) == message
