from __future__ import annotations

import pytest

from difflut.export.verilog import names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist_fc_8k", "mnist_fc_8k"),
        ("my-model v2", "my_model_v2"),
        ("2x4000", "m_2x4000"),
        ("module", "module_"),
        ("logic", "logic_"),
        ("größe", "gr_e"),
        ("", "_"),
    ],
)
def test_identifiers(text: str, expected: str) -> None:
    assert names.identifier(text) == expected


def test_literals_have_all_their_digits() -> None:
    assert names.literal(10, 8) == "8'h0a"
    assert names.literal(1, 1) == "1'h1"
    assert names.literal((1 << 256) - 1, 256) == "256'h" + "f" * 64


@pytest.mark.parametrize("value", [-1, 16])
def test_a_value_that_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=rf"^{value} does not fit an unsigned literal of 4 bits$"):
        names.literal(value, 4)


def test_ranges_and_parts() -> None:
    assert (names.vector(1), names.vector(8)) == ("[0:0]", "[7:0]")
    assert (names.part(3, 1), names.part(8, 4)) == ("[3]", "[11:8]")


def test_concatenations_and_extensions() -> None:
    assert names.concatenation(["a"]) == "a"
    assert names.concatenation(["a", "b"]) == "{a, b}"
    assert names.zero_extended("a", 3, 3) == "a"
    assert names.zero_extended("a", 3, 5) == "{2'd0, a}"


def test_comments_stay_on_their_line() -> None:
    assert names.comment("a\nb\\") == "a b"
    assert names.comment("größe\t1") == "gr e 1"
