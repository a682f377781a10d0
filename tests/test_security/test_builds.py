"""A build from somebody else: nothing in it is more than a value, whatever its digests say.

Every text and every name of `build.json` is replaced by one that would mean something in a script, in every command that
reads a build. What is still taken must be a plain value there.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from convolutions import Plan, Step
from convolutions import made as made_convolution
from small_models import Chain, fitted
from stream_builds import Signed

from difflut.export import bundle
from difflut.export.build_values import check_file_names, check_hdl, check_manifest, check_netlist_text
from difflut.export.convolution.build import make_stream_bundle
from difflut.export.errors import BundleError
from difflut.export.exporter import make_bundle
from difflut.export.interfaces.framing import Stream

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
    *("-x", "<script>touch('P')</script>", "x" * 5000, "\ud800", "x\r", "*", "!touch P", "| touch P", "%s", "${P}"),
)


@cache
def builds() -> dict[str, bundle.Bundle]:
    """One small build of each kind, so that together they have every field."""
    model = fitted(Chain())
    stack = made_convolution(Plan((2, 4, 3), (Step(2, (3, 3), padding=(1, 1)),), bits=2))
    return {
        "plain": make_bundle(model).bundle,
        "top": make_bundle(model, outputs="top-2", fpga="xc7").bundle,
        "axi": make_bundle(fitted(Signed()), interface="axi-stream", stream=Stream(8, "scores")).bundle,
        "streaming": make_stream_bundle(stack, interface="axi-stream", stream=Stream(8, "class")),
        "folded": make_stream_bundle(stack, dense_nodes_per_cycle=1),
    }


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


def changed(manifest: Any, place: tuple[Any, ...], text: str) -> dict[str, Any]:
    """A manifest with another text at a place."""
    result: dict[str, Any] = copy.deepcopy(json.loads(json.dumps(manifest)))
    inner: Any = result
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    return result


def alone(place: tuple[Any, ...], text: str, *, key: bool = False) -> dict[str, Any]:
    """A manifest with a name and a text, or a key, at a place, and nothing else."""
    value: Any = {text: 1} if key else text
    for step in reversed(place):
        value = {str(step): value}
    return {"name": "x", **value}


@pytest.mark.parametrize("kind", list(builds()))
def test_every_text_of_build_json_is_checked(kind: str) -> None:
    manifest = json.loads(json.dumps(builds()[kind].manifest))
    check_manifest(manifest)
    for place in places(manifest):
        for text in ATTACKS:
            try:
                check_manifest(alone(place, text))
            except BundleError as error:
                assert "\n" not in str(error) and "\x1b" not in str(error) and len(str(error)) < 1000
                continue
            free = place[:2] == ("model", "trained")
            assert free or ((place in VALUES or place[-1] in ("ties", "order", "meaning")) and text.isprintable()), (
                place,
                text,
            )


# Texts for people, which are printed and quoted, never parts of a script.
VALUES = {
    *(("model", "name"), ("model", "class"), ("netlist", "name"), ("passes", 0, "name"), ("passes", 0, "part")),
    *(
        ("pipeline", "spec"),
        ("versions", "difflut"),
        ("input", "meaning"),
        ("stream", "framing"),
        ("timing", "estimate"),
    ),
    ("timing", "critical_path", "path", 0),
}


def test_keys_are_checked() -> None:
    manifest = builds()["axi"].manifest
    for place in places(json.loads(json.dumps(manifest))):
        if isinstance(place[-1], str) and place[:2] != ("model", "trained"):
            with pytest.raises(BundleError, match=r"build\.json: "):
                check_manifest(alone(place[:-1], "x; exec -- touch P", key=True))


def written(folder: Path, build: bundle.Bundle, manifest: dict[str, Any] | None = None) -> Path:
    """A build directory whatever it says: the digests fit."""
    made = bundle.Bundle(build.manifest if manifest is None else manifest, build.files)
    for name, content in made.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    text = json.dumps(json.loads(bundle.Bundle({}, made.files).manifest_bytes()) | dict(made.manifest))
    (folder / "build.json").write_text(text, encoding="ascii")
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
    refused_by_all(written(tmp_path / "net", build, {**build.manifest, "name": text}), capsys, monkeypatch)


def test_values_for_people_stay_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a text is taken it is printed or quoted: every command runs, none of them makes the canary."""
    pytest.importorskip("matplotlib")
    build = builds()["plain"]
    nasty = "x\"'; exec touch P; $(touch P) `touch P` [exec touch P] <script>1</script> \\"
    manifest = json.loads(json.dumps(build.manifest))
    for place in VALUES:
        if place[0] in manifest and place[:2] not in (("passes", 0), ("pipeline", "spec"), ("stream", "framing")):
            manifest = changed(manifest, place, nasty)
    manifest["model"]["trained"] = {"data": "x\n! touch P\n" + nasty, nasty: nasty}
    folder = written(tmp_path / "net", build, manifest)
    monkeypatch.chdir(tmp_path)
    for command in commands(folder):
        if not {"none", "vivado", "report", "show", "trace-input"} & set(command):
            continue  # of a build whose names are in order the tools see these names alone
        status, _, err = run(capsys, *command)
        assert status == (0 if command[0] != "trace-input" else status) and "Traceback" not in err, (command, err)
    page = (folder / "work" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script" in page
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
        check_file_names({name: "0" * 64})
    assert str(caught.value).isascii() and "\n" not in str(caught.value)


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 64 + "\n", 7, None, [], "G" * 64])
def test_digests_have_a_form(digest: Any) -> None:
    with pytest.raises(BundleError, match=r"the digest of x is "):
        check_file_names({"x": digest})


def test_a_listed_file_outside_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = builds()["plain"]
    (tmp_path / "x.v").write_bytes(b"secret")
    folder = written(tmp_path / "net", build)
    manifest = json.loads((folder / "build.json").read_text())
    manifest["files"]["../x.v"] = hashlib.sha256(b"secret").hexdigest()
    (folder / "build.json").write_text(json.dumps(manifest))
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
    assert bundle.read(tmp_path / "link").digest == bundle.read(tmp_path / "net").digest


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
    spoilt = bundle.Bundle(build.manifest, {**build.files, "rtl/chain.v": text.encode()})
    refused_by_all(written(tmp_path / "net", spoilt), capsys, monkeypatch)


@pytest.mark.parametrize("kind", ["axi", "streaming", "folded"])
def test_other_kinds_of_builds_are_refused_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    build = builds()[kind]
    field = "core" if "core" in build.manifest else "name"
    folder = written(tmp_path / "net", build, {**build.manifest, field: "x\n! touch P\n"})
    refused_by_all(folder, capsys, monkeypatch)


def test_a_directory_with_a_line_end_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a\nb"
    with pytest.raises(BundleError, match=r"a\\nb': has a line end"):
        bundle.write(builds()["plain"], folder)
    assert not folder.exists()
    written(folder, builds()["plain"])
    with pytest.raises(BundleError, match=r"a\\nb': has a line end"):
        bundle.read(folder)


def test_an_old_export_is_still_read(tmp_path: Path) -> None:
    for kind, build in builds().items():
        bundle.write(build, tmp_path / kind)
        assert bundle.read(tmp_path / kind).digest == build.digest
        shutil.rmtree(tmp_path / kind)
