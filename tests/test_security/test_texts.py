"""Values in texts of other languages: quoted there, by the parsers of these languages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st
from report_builds import complete, synthesis, verification, write_report
from small_models import Chain, fitted
from tools import require_icarus, require_tool

from difflut import quoting
from difflut.check.builds import open_build
from difflut.check.records import kept
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.store import Build
from difflut.export.builds.stored import FLOW_REPORT, PROOF_REPORT, VERIFICATION, fits
from difflut.export.errors import BundleError
from difflut.export.flows.reports import find_reports
from difflut.export.proof.build import load_counterexample, read_report
from difflut.hdl_templates import render
from difflut.report import page

NASTY = (
    *(
        "x; touch P",
        'a"b',
        "a'b",
        "$(touch P)",
        "`touch P`",
        "[exec touch P]",
        "{",
        "}",
        "a\\",
        "\\",
        "a b",
        "",
        "#a",
        "-x",
    ),
    *("größe", "$x", "${x}", "a;b", "*", "~", "a  b", "{*}x", "!x", "%", "<&>", "a|b", "yes", "null", "1e3"),
)
NAME = "x\"'; touch P; $(touch P) `touch P` ``` [exec touch P] <script>1</script> {{ 7 * 7 }} */ \\"
BROKEN = ("a\nb", "a\rb", "a\0b", "a\x1b[0m", "a\u2028b", "a\x85b")


def test_tcl_takes_every_word_as_itself(tmp_path: Path) -> None:
    tclsh = require_tool("tclsh")
    script = "fconfigure stdout -encoding utf-8\n" + "".join(f"puts {quoting.tcl(text)}\n" for text in NASTY)
    (tmp_path / "x.tcl").write_text(script, encoding="utf-8")
    done = subprocess.run([tclsh, "-encoding", "utf-8", "x.tcl"], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == list(NASTY)
    assert [path.name for path in tmp_path.iterdir()] == ["x.tcl"]


def test_a_shell_takes_every_word_as_itself(tmp_path: Path) -> None:
    line = "printf '%s\\n' " + " ".join(map(quoting.shell, NASTY))
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [*NASTY, ""] and not list(tmp_path.iterdir())


def test_make_takes_every_value_as_itself(tmp_path: Path) -> None:
    (tmp_path / "makefile").write_text("export X\nall:\n\t@printf '%s' \"$$X\"\n")
    for text in NASTY:
        command = [require_tool("make"), "-s", f"X={quoting.make(text)}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == text.lstrip(), text
    assert [path.name for path in tmp_path.iterdir()] == ["makefile"]


@pytest.mark.parametrize("quote", [quoting.tcl, quoting.shell, quoting.make])
@pytest.mark.parametrize("text", BROKEN)
def test_what_a_line_cannot_hold_is_refused(quote: Any, text: str) -> None:
    with pytest.raises(ConfigError, match="does not print, which no script can hold"):
        quote(text)


@pytest.mark.parametrize(
    "text", [text for text in (*NASTY, *BROKEN) if text not in ("%", "1e3", "$x", "yes", "null", "-x")]
)
def test_yosys_takes_plain_words_only(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a word of a Yosys script"):
        quoting.yosys("read_verilog", text)


def test_a_line_for_yosys() -> None:
    assert quoting.yosys("hierarchy -check -top", "net_core") == "hierarchy -check -top net_core"
    assert quoting.yosys("read_verilog -lib", "+/xilinx/cells_sim.v") == "read_verilog -lib +/xilinx/cells_sim.v"


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_yaml_and_comments(text: str) -> None:
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert pyyaml.safe_load(f"a: {quoting.yaml(text)}\n") == {"a": text}
    comment = quoting.comment(text)
    assert comment.isascii() and (comment.isprintable()) and not comment.endswith("\\")
    code = quoting.markdown_code(text)
    assert "\n" not in code and code.startswith("`") and code.endswith("`")


@settings(max_examples=200, deadline=None)
@given(st.text() | st.sampled_from((*NASTY, *BROKEN, NAME, "]]>", "<!--", "&lt;", "<!ENTITY x SYSTEM 'P'>", "\ufffe")))
def test_xml_takes_every_text_as_itself(text: str) -> None:
    quoted = quoting.xml(text)
    element = ElementTree.fromstring(f'<a b="{quoted}">{quoted}</a>'.encode())
    shown = "".join(char if char.isprintable() else " " for char in text)
    assert (element.attrib, element.text or "", len(element)) == ({"b": shown}, shown, 0)


def test_templates_quote(tmp_path: Path) -> None:
    nasty = "x; [exec touch P] $(touch P)\\"
    context: dict[str, object] = {
        "top": nasty,
        "part": nasty,
        "clock": "clk",
        "period_ns": "1",
        "mhz": "1",
        "sources": [nasty, "../../rtl/x.v"],
        "utilisation": nasty,
        "timing": nasty,
    }
    for name in ("out_of_context.tcl", "project.tcl"):
        body = render(f"vivado_{name}.j2", context)
        assert nasty not in "\n".join(line for line in body.splitlines() if not line.startswith("#"))
        (tmp_path / name).write_text(f"proc unknown args {{}}\n{body}\n")
        subprocess.run([require_tool("tclsh"), name], cwd=tmp_path, check=True)
    (tmp_path / "run.sh").write_text(render("vivado_run.sh.j2", context).replace("exec vivado", "exec true"))
    subprocess.run(["sh", "run.sh"], cwd=tmp_path, check=True)
    assert not list(tmp_path.glob("P*"))


def named(name: str, info: dict[str, Any]) -> Chain:
    model = fitted(Chain(name=name))
    assert isinstance(model, Chain)
    model.info = info
    return model


def test_a_model_of_any_name_gives_texts_that_parse(tmp_path: Path) -> None:
    info = {"data": f"{NAME}\n! touch P\n", NAME: NAME, "note": "a\u2028b\x1b[2J"}
    folder = export_model(named(NAME, info), tmp_path / "net")
    build = store.read(folder)
    top = build.info.name
    assert build.info.model.name == NAME and build.info.model.trained == info
    core = pyyaml.safe_load((folder / f"{top}.core").read_text(encoding="utf-8"))
    assert core["description"].endswith(NAME) and core["name"].split(":")[2] == top
    assert core["targets"]["default"]["toplevel"] == top
    component = ElementTree.parse(folder / f"{top}.component.xml").getroot()
    assert (component[-1].text or "").endswith(NAME) and component[2].text == top
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert quoting.markdown_code(NAME) in readme and readme.count("<script>") == 1
    require_icarus()
    rtl = [str(folder / name) for name in build.rtl]
    subprocess.run([require_tool("iverilog"), "-g2001", "-o", tmp_path / "out", "-s", top, *rtl], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "out"]


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "a\0b", "a\u2028b", "a\x7fb"])
def test_a_name_that_no_build_can_have_is_refused_at_export(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match=r"net: not written: build\.json: .*; give the model another name$"):
        export_model(named(name, {}), tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_a_page_of_values(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from difflut.report import draw, read_facts
    from difflut.report import render as render_page

    folder = tmp_path / "net"
    build = complete(named(NAME, {"data": "<script>2</script>"}), folder)
    work = folder / "work"
    for path in work.glob("*/report.json"):
        content = json.loads(path.read_text())
        for field in ("data", "command", "date", "simulator"):
            content[field] = "<script>3</script>"
        path.write_text(json.dumps(content))
    facts = read_facts(folder)
    assert facts.digest == build.digest and facts.records and facts.proof and facts.syntheses
    assert "<script" not in render_page(facts, draw(facts), None)


WRONG = (None, True, -1, 1.5, "x", [], {}, ["x"], {"x": "y"}, float("inf"), 10**400, "\ud800", [[]], {"a": {"b": []}})


@pytest.mark.parametrize(
    ("name", "shape"), [("verify-icarus", VERIFICATION), ("proof", PROOF_REPORT), ("yosys-ecp5", FLOW_REPORT)]
)
def test_stored_reports_are_data(tmp_path: Path, name: str, shape: dict[str, Any]) -> None:
    """Whatever stands in a field of one, it is read as another value, or the report is passed over."""
    folder = tmp_path / "net"
    build = complete(Chain(), folder)
    if shape is FLOW_REPORT:
        routed = {"best": 0, "placements": [{"utilisation": {"LUT": {"used": 1, "available": 2}}}], "mhz": 100.0}
        write_report(folder, name, synthesis(build) | routed | {"device": "x", "date": "2026-01-01", "parts": {}})
    path = folder / "work" / name / "report.json"
    content = json.loads(path.read_text())
    for place in _places(content):
        for value in WRONG:
            changed = json.loads(json.dumps(content))
            inner = changed
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = value
            if fits(changed, shape):  # else it is passed over, as those below
                path.write_text(json.dumps(changed))
                _use(folder)
    for text in (
        "",
        "[]",
        "{}",
        "[" * 100000,
        '{"digest": 1}',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ):
        path.write_text(text)
        _use(folder)


def _use(folder: Path) -> None:
    """Everything that the report does with stored reports, drawing aside."""
    from difflut.report import read_facts

    facts = read_facts(folder)
    page.checks(facts)
    for record in kept(folder):
        assert fits(dict(record.report), VERIFICATION)
    for found in find_reports(folder):
        assert fits(dict(found.content), FLOW_REPORT)
    proof = read_report(folder)
    assert proof is None or fits(dict(proof), PROOF_REPORT)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in a JSON object."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place] if place else []
    for key, entry in entries:
        found += _places(entry, (*place, key))
    return found


@pytest.mark.parametrize(
    "arrays",
    [
        {"labels": np.zeros(3, int), "classes": np.full(3, -1)},
        {"labels": np.zeros(3, int), "classes": np.full(3, 1 << 40)},
        {"labels": np.zeros(9, int), "classes": np.zeros(3, int)},
        {"labels": np.zeros((3, 1), int), "classes": np.zeros(3, int)},
        {"labels": np.zeros(3, int), "scores": np.zeros(3, int)},
        {"labels": np.zeros(3, int), "scores": np.zeros((3, 4), int), "classes": np.zeros(2, int)},
    ],
)
def test_stored_outputs_are_data(tmp_path: Path, arrays: dict[str, Any]) -> None:
    build = make_build(fitted(Chain()))
    store.write(build, tmp_path / "net")
    place = tmp_path / "net" / "work" / "verify-icarus"
    place.mkdir(parents=True)
    (place / "report.json").write_text(json.dumps(verification(build, None)))
    np.savez(place / "outputs.npz", **arrays)
    (record,) = kept(tmp_path / "net")
    assert record.outputs is None


@pytest.mark.parametrize("codes", ["x", [[1.5]], [[1], [2]], [[[1]]], [["a"]], [[True]]])
def test_a_counterexample_is_data(tmp_path: Path, codes: Any) -> None:
    np.savez(tmp_path / "c.npz", codes=np.array(codes))
    with pytest.raises(BundleError, match="no stored counterexample"):
        load_counterexample(tmp_path / "c.npz")
    for content in (b"", b"PK\x03\x04", b"x" * 100):
        (tmp_path / "c.npz").write_bytes(content)
        with pytest.raises(BundleError, match="no stored counterexample"):
            load_counterexample(tmp_path / "c.npz")


def test_the_class_in_a_build_is_no_code(tmp_path: Path) -> None:
    """What a build says of its model's class is shown, never imported."""
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'P')!r}, 'w')\n")
    build = make_build(fitted(Chain()))
    evil = msgspec.structs.replace(build.info.model, class_name="evil:Net; touch P")
    store.write(Build(msgspec.structs.replace(build.info, model=evil), build.files), tmp_path / "net")
    with pytest.raises(BundleError, match="name its class with --model module:Class"):
        open_build(tmp_path / "net")
    from difflut.report import read_facts

    (missing,) = (item for item in read_facts(tmp_path / "net").missing if item.what.startswith("Measurement"))
    assert "--model 'evil:Net; touch P'" in missing.command and not (tmp_path / "P").exists()
