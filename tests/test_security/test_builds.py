"""A build from somebody else: nothing in it is more than a value, whatever its digests say.

Every text and every name of `build.json` is replaced by one that would mean something in a script, in every command
that reads a build. What is still taken must be a plain value there.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from axi_builds import Signed
from command_line import run
from convolutions import Plan, Step
from convolutions import made as made_convolution
from small_models import Chain, fitted

from difflut.export.builds import design_info, store
from difflut.export.builds.design_info import DESIGN_FILE
from difflut.export.builds.info import from_bytes
from difflut.export.builds.make import make_build
from difflut.export.builds.store import Build
from difflut.export.builds.values import check_file_names, check_hdl, check_netlist_text
from difflut.export.errors import BundleError
from difflut.export.interfaces.framing import Stream
from difflut.export.schedule.forms import Folded

# P is the canary: a file that no command may make.
ATTACKS = (
    *("x; exec -- touch P", 'x"; exec touch P; "', "x'; touch P; '", "x\n! touch P\n", "$(touch P)", "`touch P`"),
    *(
        "[exec touch P]",
        "{*}[exec touch P]",
        "x\\",
        "../../x",
        "/tmp/x",
        "x y",
        "",
        "nétz",
        "x\u2028y",
        "x\0",
        "x\x1b[2J",
        "#x",
    ),
    *(
        "-x",
        "<script>touch('P')</script>",
        "x" * 5000,
        "\ud800",
        "x\r",
        "x\n",
        "*",
        "!touch P",
        "| touch P",
        "%s",
        "${P}",
    ),
)


@cache
def builds() -> dict[str, Build]:
    """One small build of each kind, so that together they have every field."""
    model = fitted(Chain())
    stack = made_convolution(Plan((2, 4, 3), (Step(2, (3, 3), padding=(1, 1)),), bits=2))
    return {
        "plain": make_build(model),
        "top": make_build(model, outputs="top-2", fpga="xc7"),
        "axi": make_build(fitted(Signed()), interface="axi-stream", stream=Stream(8, "scores")),
        "streaming": make_build(stack, interface="axi-stream", stream=Stream(8, "class"), form="streaming"),
        "folded": make_build(stack, form=Folded(nodes_per_cycle=1)),
    }


def described(build: Build) -> dict[str, Any]:
    """What `build.json` says."""
    content: dict[str, Any] = json.loads(build.manifest_bytes)
    return content


def signed(content: dict[str, Any]) -> bytes:
    """A `build.json` that has the digest of its content, whatever that is."""
    own = {key: value for key, value in content.items() if key not in ("format", "format_version", "digest")}
    with suppress(UnicodeEncodeError):  # of half a character, which has no digest
        encoded = msgspec.json.encode(own, order="sorted")
        content = {**content, "digest": hashlib.sha256(encoded).hexdigest()}
    return json.dumps(content).encode()


def take(content: dict[str, Any]) -> None:
    """What reading a build does with its `build.json`."""
    check_file_names(from_bytes(signed(content)).files)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every text in a JSON value; those of lists once, since their entries are alike."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, (*place, key))
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value[:1]):
            yield from places(entry, (*place, index))


def objects(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every object in a JSON value; those of lists once."""
    if isinstance(value, dict):
        yield place
        for key, entry in value.items():
            yield from objects(entry, (*place, key))
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value[:1]):
            yield from objects(entry, (*place, index))


def changed(content: Any, place: tuple[Any, ...], text: Any) -> dict[str, Any]:
    """A JSON object with another value at a place."""
    result: dict[str, Any] = copy.deepcopy(content)
    inner: Any = result
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    return result


def is_told_well(error: Exception) -> bool:
    """Whether a message is one line of ASCII, and not all of a long text."""
    text = str(error)
    return text.isascii() and text.isprintable() and len(text) < 1000


@pytest.mark.parametrize("kind", list(builds()))
def test_every_text_of_build_json_is_checked(kind: str) -> None:
    content = described(builds()[kind])
    take(content)
    for place in places(content):
        if place == ("digest",):
            continue  # `signed` puts the right one there
        for text in ATTACKS:
            try:
                take(changed(content, place, text))
            except BundleError as error:
                assert is_told_well(error), (place, text, str(error))
                continue
            free = place[:2] == ("model", "trained")
            assert free or (place in VALUES or place[-1] in ("ties", "order", "meaning")), (place, text)
            assert free or text.isprintable(), (place, text)


# Texts for people, which are printed and quoted, never parts of a script.
VALUES = {
    *(
        ("output", "heads", 0, "name"),
        ("model", "name"),
        ("model", "class"),
        ("parts", 0, "name"),
        ("passes", 0, "name"),
        ("passes", 0, "part"),
    ),
    *(("pipeline", "spec"), ("input", "meaning"), ("axi_stream", "framing"), ("timing", "estimate")),
    *(("timing", "critical_path", "path", 0), ("timing", "wrapper", 0, "path", 0)),
}


def test_every_field_for_people_is_tried() -> None:
    found = {place for build in builds().values() for place in places(described(build))}
    assert found >= VALUES


@pytest.mark.parametrize("kind", list(builds()))
def test_keys_are_checked(kind: str) -> None:
    content = described(builds()[kind])
    for place in objects(content):
        if place[:2] != ("model", "trained"):
            for text in ATTACKS:
                with pytest.raises(BundleError, match=r"^build\.json: ") as caught:
                    take(changed(content, (*place, text), 1))
                assert is_told_well(caught.value), (place, text, str(caught.value))


@pytest.mark.parametrize("kind", list(builds()))
def test_texts_and_keys_of_the_design_are_checked(kind: str) -> None:
    """`verify/design.json` has names of modules, ports and signals: all of them Verilog's."""
    content = json.loads(builds()[kind].text(DESIGN_FILE))
    for place in [*places(content), *((*place, None) for place in objects(content))]:
        for text in ATTACKS:
            spoilt = (
                changed(content, place, text) if place[-1] is not None else changed(content, (*place[:-1], text), "x")
            )
            with pytest.raises(BundleError, match=r"^design\.json: ") as caught:
                design_info.from_bytes(json.dumps(spoilt).encode())
            assert is_told_well(caught.value), (place, text, str(caught.value))


def written(folder: Path, build: Build, content: dict[str, Any] | None = None) -> Path:
    """A build directory whatever it says: the digests fit."""
    for name, file in build.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file)
    content = described(build) if content is None else content
    files = {name: hashlib.sha256(file).hexdigest() for name, file in build.files.items()}
    (folder / "build.json").write_bytes(signed({**content, "files": files}))
    return folder


def commands(folder: Path, model: str = "small_models:Chain") -> list[list[Any]]:
    """Every command that reads a build."""
    codes = folder.parent / "codes.npy"
    np.save(codes, np.zeros(6, np.int64))
    np.savez(folder.parent / "codes.npz", codes=np.zeros((1, 6), np.int64))
    return [
        ["verify", folder, "--random-only", "--simulator", "none", "--model", model],
        ["verify", folder, "--random-only", "--simulator", "icarus", "--model", model],
        ["verify", folder, "--random-only", "--model", model],
        ["verify", folder, "--replay", folder.parent / "codes.npz"],
        ["prove", folder],
        ["synth", folder],
        ["synth", folder, "--check", "0", "--model", model],
        ["synth", folder, "--flow", "nextpnr", "--device", "LFE5U-85F"],
        ["synth", folder, "--flow", "vivado", "--no-run"],
        ["report", folder],
        ["play", folder],
        ["show", folder, "--node", "L1.0"],
        ["trace-input", folder, "--image", codes],
    ]


def refused_by_all(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command ends with status 2 and one message, before it starts any tool, and leaves nothing behind."""

    def start(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"started {arguments}")

    before = sorted(folder.parent.rglob("*"))
    with monkeypatch.context() as patched:
        patched.chdir(folder.parent)
        patched.setattr(subprocess, "Popen", start)
        for command in commands(folder):
            status, out, err = run(capsys, *command)
            assert (status, out) == (2, ""), (command, err)
            assert err.startswith("error: ") and err.count("\n") == 1 and err.isascii() and "\x1b" not in err, err
    for name in ("codes.npy", "codes.npz"):
        (folder.parent / name).unlink()
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("text", [text for text in ATTACKS if text != "\ud800"])
def test_a_name_that_is_none_ends_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    build = builds()["plain"]
    refused_by_all(written(tmp_path / "net", build, {**described(build), "name": text}), capsys, monkeypatch)


def test_values_for_people_stay_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a text is taken it is printed or quoted: every command runs, none of them makes the canary."""
    pytest.importorskip("matplotlib")
    build = builds()["plain"]
    nasty = "x\"'; exec touch P; $(touch P) `touch P` [exec touch P] <script>1</script> \\"
    content = described(build)
    for place in VALUES & set(places(content)):
        if place[:2] not in (("passes", 0), ("pipeline", "spec")):
            content = changed(content, place, nasty)
    content["model"]["trained"] = {"data": "x\n! touch P\n" + nasty, nasty: nasty}
    folder = written(tmp_path / "net", build, content)
    monkeypatch.chdir(tmp_path)
    for command in commands(folder):
        if not {"none", "vivado", "report", "play", "show", "trace-input"} & set(command):
            continue  # of a build whose names are in order the tools see these names alone
        status, _, err = run(capsys, *command)
        assert status == (0 if command[0] != "trace-input" else status) and "Traceback" not in err, (command, err)
    page = (folder / "work" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script" in page
    circuit = (folder / "work" / "circuit.html").read_text(encoding="utf-8")
    assert circuit.count("<script") == circuit.count("</script") == 2  # those of the page itself
    assert not list(tmp_path.rglob("P"))


FILES = (
    *(
        "../x.v",
        "/etc/passwd",
        "rtl/../../x.v",
        "rtl/./x.v",
        "rtl//x.v",
        "./rtl/x.v",
        "rtl/",
        "",
        ".",
        "..",
        "build.json",
    ),
    *(
        "work/x.v",
        "rtl/x;touch P.v",
        'rtl/x".v',
        "rtl/x'.v",
        "rtl/$(touch P).v",
        "rtl/`touch P`.v",
        "rtl/[exec touch P].v",
    ),
    *(
        "rtl/x\n.v",
        "rtl/x y.v",
        "rtl/x\\y.v",
        "rtl/-x.v",
        "rtl/.x.v",
        ".hidden",
        "-rf",
        "rtl/ü.v",
        "rtl/x.vh",
        "rtl/a/x.v",
    ),
    *("rtl/x-y.v", "a/" * 300 + "x", "x" * 300, "x\0", "C:x", "~", "*", "\ud800"),
)


@pytest.mark.parametrize("name", FILES)
def test_file_names_stay_in_the_build(name: str) -> None:
    with pytest.raises(BundleError, match=r"^build\.json: names the file ") as caught:
        check_file_names([name])
    assert str(caught.value).isascii() and "\n" not in str(caught.value)


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 64 + "\n", 7, None, [], "G" * 64])
def test_digests_have_a_form(digest: Any) -> None:
    content = described(builds()["plain"])
    with pytest.raises(BundleError, match=r"^build\.json: .*\bfiles\b") as caught:
        take(changed(content, ("files", "README.md"), digest))
    assert is_told_well(caught.value)


def test_a_listed_file_outside_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = builds()["plain"]
    (tmp_path / "x.v").write_bytes(b"secret")
    folder = written(tmp_path / "net", build)
    content = json.loads((folder / "build.json").read_text())
    content["files"]["../x.v"] = hashlib.sha256(b"secret").hexdigest()
    (folder / "build.json").write_bytes(signed(content))
    refused_by_all(folder, capsys, monkeypatch)


def link_file(folder: Path, outside: Path) -> None:
    (folder / "rtl" / "chain.v").rename(outside / "chain.v")
    (folder / "rtl" / "chain.v").symlink_to(outside / "chain.v")


def link_folder(folder: Path, outside: Path) -> None:
    (folder / "rtl").rename(outside / "rtl")
    (folder / "rtl").symlink_to(outside / "rtl")


def link_manifest(folder: Path, outside: Path) -> None:
    (folder / "build.json").rename(outside / "build.json")
    (folder / "build.json").symlink_to(outside / "build.json")


def link_work(folder: Path, outside: Path) -> None:
    (folder / "work").symlink_to(outside)


def link_log(folder: Path, outside: Path) -> None:
    (folder / "work" / "simulation" / "icarus").mkdir(parents=True)
    (folder / "work" / "simulation" / "icarus" / "build.log").symlink_to(outside / "precious")


def link_to_nothing(folder: Path, outside: Path) -> None:
    (folder / "rtl" / "more.v").symlink_to(outside / "nothing")


def fifo(folder: Path, outside: Path) -> None:
    (folder / "rtl" / "chain.v").unlink()
    os.mkfifo(folder / "rtl" / "chain.v")


def fifo_as_manifest(folder: Path, outside: Path) -> None:
    (folder / "build.json").unlink()
    os.mkfifo(folder / "build.json")


@pytest.mark.parametrize(
    "plant", [link_file, link_folder, link_manifest, link_work, link_log, link_to_nothing, fifo, fifo_as_manifest]
)
def test_links_and_special_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, plant: Any
) -> None:
    folder, outside = written(tmp_path / "net", builds()["plain"]), tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    plant(folder, outside)
    refused_by_all(folder, capsys, monkeypatch)
    assert (outside / "precious").read_text() == "x"


def test_a_build_behind_a_link_of_the_user_is_one(tmp_path: Path) -> None:
    written(tmp_path / "net", builds()["plain"])
    (tmp_path / "link").symlink_to("net")
    assert store.read(tmp_path / "link").digest == store.read(tmp_path / "net").digest


HDL = (
    *(
        'initial $system("touch P");',
        '`include "/etc/passwd"',
        "`define x y",
        "wire \\x ;",
        "initial $finish;",
        "x = $time;",
    ),
    *('import "DPI-C" function int system(input string c);', 'export "DPI-C" task t;', "/* never closed", 'x = "a//";'),
    *('x = "\\";', "// \\\n", "// \\ \t\n/*\n initial $finish;\n// */", "\r", "// ü", "\0", '"', "/*/ $finish", '"\n"'),
    *("//\r$finish", "a/**/$finish", '"x" $finish', "`systemc_header", "$c(1)"),
)


@pytest.mark.parametrize("text", HDL)
def test_verilog_that_reaches_out_is_refused(text: str) -> None:
    content = f"module x;\n{text}\nendmodule\n".encode()
    for name in ("rtl/x.v", "sim/x.v"):
        with pytest.raises(BundleError, match=rf"^{name}:\d+: has .*, which no export writes"):
            check_hdl(name, content)


def test_comments_are_no_code() -> None:
    check_hdl(
        "rtl/x.v",
        b'// $system("x") `a \\b\nmodule x; /* import "$" \\ */ (* keep = "yes" *) wire exported; endmodule\n',
    )
    check_hdl("README.md", b"`$(x)`")


_GUARDED = b"`ifndef SYNTHESIS\n`ifndef DIFFLUT_X\n`define DIFFLUT_X\nmodule x; endmodule\n`endif\n`endif\n"


def test_directives_are_the_time_scale_and_guards_of_models() -> None:
    for name in ("rtl/x.v", "sim/x.v"):
        check_hdl(name, b"`timescale 1ns / 1ps\nmodule x; endmodule\n")
        for other in (b"`timescale 1s / 1s\n", b"`timescale 1ns / 1ps `include x\n", b" `timescale\n"):
            with pytest.raises(BundleError, match="which no export writes"):
                check_hdl(name, other)
    check_hdl("sim/x.v", _GUARDED)
    with pytest.raises(BundleError, match=r"^rtl/x\.v:1: has '`', which no export writes"):
        check_hdl("rtl/x.v", _GUARDED)  # with it tools would read different circuits


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(b"`define DIFFLUT_X", b"`define DIFFLUT_X wire"), (b"`define DIFFLUT_X", b"`define wire"),
     (b"SYNTHESIS", b"VERILATOR"), (b"`ifndef DIFFLUT_X", b"`ifdef DIFFLUT_X"), (b"`endif", b"`else")],
)  # fmt: skip
def test_a_guard_is_no_more_than_that(right: bytes, wrong: bytes) -> None:
    with pytest.raises(BundleError, match=r"^sim/x\.v:\d: has '`', which no export writes"):
        check_hdl("sim/x.v", _GUARDED.replace(right, wrong))


def test_a_netlist_of_yosys_may_have_escaped_names() -> None:
    check_netlist_text("flat.v", b"wire [1:0] \\a.b$c ;\nassign \\a.b$c = $signed(x) + $unsigned(\\y );\n")
    for text in (b'initial $system("x");', b"`include x", b'import "DPI-C" function int system(input string c);'):
        with pytest.raises(BundleError):
            check_netlist_text("flat.v", text)


def test_foreign_verilog_ends_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = builds()["plain"]
    text = build.text("rtl/chain.v").replace("endmodule", 'initial $system("touch P");\nendmodule')
    spoilt = Build(build.info, {**build.files, "rtl/chain.v": text.encode()})
    refused_by_all(written(tmp_path / "net", spoilt), capsys, monkeypatch)


@pytest.mark.parametrize("kind", ["axi", "streaming", "folded"])
def test_other_kinds_of_builds_are_refused_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    build = builds()[kind]
    folder = written(tmp_path / "net", build, {**described(build), "core": "x\n! touch P\n"})
    refused_by_all(folder, capsys, monkeypatch)


def test_a_directory_with_a_line_end_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a\nb"
    with pytest.raises(BundleError, match=r"a\\nb': has a line end"):
        store.write(builds()["plain"], folder)
    assert not folder.exists()
    written(folder, builds()["plain"])
    with pytest.raises(BundleError, match=r"a\\nb': has a line end"):
        store.read(folder)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for kind, build in builds().items():
        store.write(build, tmp_path / kind)
        assert store.read(tmp_path / kind).digest == build.digest
        shutil.rmtree(tmp_path / kind)
