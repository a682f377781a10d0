"""`build.json` has one reader: whatever is missing, unknown, of another type, out of range or edited is refused with
its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import several_heads
from convolutions import LONG, made
from small_models import Chain, fitted

from difflut.data_names import DataNames
from difflut.export.builds.info import FORMAT_VERSION, BuildInfo, from_bytes, to_bytes
from difflut.export.builds.make import make_build
from difflut.export.builds.writing import description_digest
from difflut.export.errors import BundleError
from difflut.export.interfaces.framing import Stream
from difflut.export.schedule.forms import Folded

# Keys that may be left out because they hold None or a default then.
OPTIONAL = {
    "pipeline", "timing", "axi_stream", "scores", "class", "top", "program", "word_values", "part",
    "estimated_luts", "instances", "copies", "wrapper", "map", "value", "fmax_mhz", "files", "names",
    "features", "units", "classes",
}  # fmt: skip


@pytest.fixture(scope="module", params=["whole", "axi", "pixels", "folded"])
def described(request: pytest.FixtureRequest) -> BuildInfo:
    if request.param == "whole":
        return make_build(fitted(Chain()), fpga="xcup", outputs="top-2").info
    if request.param == "axi":
        return make_build(fitted(Chain()), interface="axi-stream", stream=Stream(8, "class")).info
    if request.param == "pixels":
        return make_build(made(LONG), form="streaming", interface="axi-stream").info
    return make_build(made(LONG), form=Folded(nodes_per_cycle=2)).info


def places(value: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a JSON object, of lists to the first entry; what the user's own notes hold is
    theirs.
    """
    entries = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, entry in entries:
        yield (*before, key)
        if key not in ("trained", "files", "versions"):
            yield from places(entry, *before, key)


def changed(content: bytes, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> bytes:
    """A description with a value changed, and the digest that fits."""
    raw = json.loads(content)
    inner = raw
    for key in place[:-1]:
        inner = inner[key]
    change(inner, place[-1])
    digest = raw.pop("digest")
    rest = {key: value for key, value in raw.items() if key not in ("format", "format_version")}
    raw["digest"] = description_digest(rest) if place != ("digest",) else digest
    return json.dumps(raw).encode()


def test_what_is_written_is_read(described: BuildInfo) -> None:
    assert from_bytes(to_bytes(described)) == described
    assert to_bytes(described) == to_bytes(from_bytes(to_bytes(described)))


def test_every_key_is_needed_and_no_other_is_taken(described: BuildInfo) -> None:
    content = to_bytes(described)
    known = list(places(json.loads(content)))
    assert len(known) > 60
    for place in known:
        if (
            isinstance(place[-1], str)
            and place[-1] not in OPTIONAL | {"format", "digest", "form"}
            and place[-2:-1] != ("pipeline",)
        ):
            with pytest.raises(BundleError):
                from_bytes(changed(content, place, lambda inner, key: inner.pop(key)))
    for place in {place[:-1] for place in known if isinstance(place[-1], str)}:
        with pytest.raises(BundleError, match="unknown field"):
            from_bytes(changed(content, (*place, "unknown"), lambda inner, key: inner.update({key: 1})))


@pytest.mark.parametrize("wrong", [None, [], {}, "x y", -1, 1e300, 1 << 62, True, ["a", 1]], ids=repr)
def test_values_of_another_type_or_out_of_range(described: BuildInfo, wrong: object) -> None:
    content = to_bytes(described)
    for place in places(json.loads(content)):
        if place[-1] in ("trained", "files", "versions", "digest") or "trained" in place:
            continue
        raw = changed(content, place, lambda inner, key: inner.__setitem__(key, wrong))
        if json.loads(raw) == json.loads(content):
            continue
        try:
            read = from_bytes(raw)
        except BundleError as error:
            assert str(error).startswith("build.json: ")
            continue
        # Where it is taken, it is a value like any other: None and nothing where that is the default, a text for
        # people.
        assert from_bytes(to_bytes(read)) == read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"[]", "is no difflut build description"),
        (
            b'{"format": "difflut-build", "format_version": 1}',
            f"has build format 1, this difflut reads {FORMAT_VERSION}",
        ),
        (b'{"format": "other"}', "is no difflut build description"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"format": "difflut-build", "format_version": 5, "name": NaN}', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
    ids=["empty", "list", "version", "format", "deep", "nan", "bytes"],
)
def test_other_content(content: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        from_bytes(content)


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_the_longest_path_lies_in_a_stage(described: BuildInfo, beyond: int) -> None:
    if described.timing is None:
        return  # delays of a folded body are not estimated
    stage = len(described.timing.stages) + 1 if beyond > 0 else beyond
    place = ("timing", "critical_path", "stage")
    with pytest.raises(BundleError, match=r"critical_path\.stage"):
        from_bytes(changed(to_bytes(described), place, lambda inner, key: inner.update({key: stage})))


def test_an_edit_by_hand_is_refused(described: BuildInfo) -> None:
    raw = json.loads(to_bytes(described))
    raw["latency_cycles"] += 1
    with pytest.raises(BundleError, match="was edited"):
        from_bytes(json.dumps(raw).encode())


def test_names_of_classes_are_counted_by_result() -> None:
    model = several_heads.fitted(several_heads.Detector())  # one label, which has two scores
    assert model.num_classes == 1
    model.names = DataNames(classes=("broken",))
    info = from_bytes(to_bytes(make_build(model).info))
    assert info.names is not None and info.names.classes == ("broken",) and info.output.classes == 2
