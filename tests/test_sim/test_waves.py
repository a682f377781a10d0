"""Waveforms: scores as signals of their own and the number of each sample, right in every cycle; what GTKWave shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from convolutions import Plan, Step, made
from small_models import Chain, fitted
from tools import require_icarus

from difflut.check import verification
from difflut.check.builds import open_build
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.sim import runner
from difflut.training import predict_scores

KINDS: dict[str, dict[str, Any]] = {
    "plain": {"clock_enable": True},
    "ranks": {"outputs": "top-2"},
    "images": {"form": "streaming"},
    "streams": {"interface": "axi-stream"},
}


def edges(text: str, clock: str) -> Iterator[dict[str, str]]:
    """The values of the signals of the outermost module that each rising edge of the clock samples, from VCD."""
    head, changes = text.split("$enddefinitions $end", 1)
    outermost = head.split("$scope", 2)[1]
    names = {key: name for key, name in re.findall(r"\$var \w+ \d+ (\S+) (\w+)", outermost)}
    values: dict[str, str] = {}
    before: dict[str, str] = {}
    for line in changes.splitlines():
        found = re.fullmatch(r"b(\S+) (\S+)|([01xz])(\S+)", line)
        if line.startswith("#"):
            before = dict(values)
        elif found is not None and (found[2] or found[4]) in names:
            name = names[found[2] or found[4]]
            if name == clock and found[3] == "1" and values.get(clock) == "0":
                yield before
            values[name] = found[1] or found[3]


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_and_scores_of_every_sample(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_icarus()
    model = made(Plan((1, 4, 4), (Step(2, (3, 3)),))) if kind == "images" else fitted(Chain())
    store.write(make_build(model, name="net", **KINDS[kind]), tmp_path / "net")
    opened = open_build(tmp_path / "net", model)
    subjects: list[Any] = []
    monkeypatch.setattr(verification, "predict_scores", lambda *given: subjects.append(given) or predict_scores(*given))
    right = runner.build

    def as_text(*arguments: Any, **options: Any) -> Any:
        built = right(*arguments, **options)
        return replace(built, command=tuple("-vcd" if part == "-fst" else part for part in built.command))

    monkeypatch.setattr(runner, "build", as_text)
    monkeypatch.setattr("difflut.sim.axi.build", as_text)
    report = verification.verify(
        tmp_path / "net", data=None, data_name="", simulator="icarus", waves=True, opened=opened
    )
    assert report.ok and report.waves is not None
    scores = predict_scores(*subjects[0])[0].numpy()
    text = Path(report.waves).read_text(encoding="ascii")
    shown = set(re.findall(r"^net_waves\.(\w+)", Path(report.waves).with_suffix(".gtkw").read_text(), re.MULTILINE))
    streams = kind == "streams"
    valid, taken = ("m_axis_tvalid", "s_axis_tvalid") if streams else ("out_valid", "in_valid")
    results, given = [], set()
    for values in edges(text, "aclk" if streams else "clk"):
        assert shown <= values.keys() | {"clk", "aclk"} or not results
        if values.get("ce", "1") != "1":
            continue
        if values.get(taken) == "1":
            given.add(int(values["sample_in"], 2))
        if values.get("core_valid" if streams else valid) == "1":
            fields = [name for name in values if re.fullmatch(r"(score|rank)_\d+", name)]
            fields.sort(key=lambda name: int(name.split("_")[1]))
            results.append((int(values["sample_out"], 2), [int(values[name], 2) for name in fields]))
    samples = len(scores)
    assert given >= set(range(samples)) and max(given) <= samples
    if kind == "ranks":
        expected = [[int(k) for k in (-row).argsort(kind="stable")[:2]] for row in scores]
    else:
        expected = [[int(score) for score in row] for row in scores]
    last = results[-samples:]
    assert [fields for _, fields in last] == expected
    if not streams:  # the core is ahead of the stream
        assert [number for number, _ in last] == list(range(samples))
