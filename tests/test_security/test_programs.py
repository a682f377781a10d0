"""What is executed, and from where: never a program or a module that lies in a build or in the working directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run
from rtl_fixture import INTERFACE, reference, sample_codes, write_rtl
from small_models import Chain, fitted
from tools import require_icarus, require_verilator, require_yosys

from difflut.errors import ConfigError
from difflut.export.builds.make import export_model
from difflut.export.proof.yosys import run_script
from difflut.files import WriteError, scratch
from difflut.models.named import find
from difflut.sim import build as simulators
from difflut.sim import cache, compare, run_rtl
from difflut.sim.process import clean_environment, python_command, run_logged
from difflut.sim.runner import _import_paths
from difflut.sim.toolchain import find_cocotb, find_verilator

ROOT = Path(__file__).parents[2]
CANARY = "open({!r}, 'w')\n"


def plant(folder: Path, canary: Path, *names: str) -> None:
    """Modules that make the canary when they are imported."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(CANARY.format(str(canary)), encoding="utf-8")


def program(path: Path, canary: Path) -> None:
    """A program that makes the canary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch '{canary}'\n")
    path.chmod(0o755)


def test_no_simulator_of_the_build_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_icarus()
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    sources, codes = write_rtl(tmp_path / "rtl"), sample_codes(20)
    work, canary, stamps = tmp_path / "net" / "work", tmp_path / "canary", set()
    plant(work / "icarus", canary, "difflut", "numpy", "cocotb", "json", "typing_extensions")
    for _ in range(2):
        result = run_rtl(sources, INTERFACE, codes, simulator="icarus", build_dir=work)
        assert compare(*reference(codes), result.scores, result.classes).ok
        (kept,) = (tmp_path / "cache" / "simulators").glob("*/simulator.vvp")
        # What an earlier version would have run.
        program(work / "icarus" / kept.name, canary)
        (work / "icarus" / "build.digest").write_text(f"{kept.parent.name}\n", encoding="ascii")
        stamps.add(kept.stat().st_mtime_ns)
    assert len(stamps) == 1  # the second run compiled nothing
    assert not canary.exists()


def test_no_simulator_of_verilator_in_the_build_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_verilator()
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    made = tmp_path / "made"
    program(made, tmp_path / "canary")
    monkeypatch.setattr(simulators, "_verilate", lambda *arguments: made)
    work, found = tmp_path / "net" / "work", []
    for _ in range(2):
        built = simulators.build_verilator(
            *(write_rtl(tmp_path / "rtl"), INTERFACE, find_verilator(), find_cocotb()),
            build_dir=work,
            waves=False,
            probes=(),
            seed=0,
        )
        place = Path(built.command[0])
        assert place.is_relative_to(tmp_path / "cache") and place.read_bytes() == made.read_bytes()
        program(work / "verilator" / "simulator", tmp_path / "other")
        (work / "verilator" / "build.digest").write_text(f"{place.parent.name}\n", encoding="ascii")
        found.append(place)
    assert found[0] == found[1]


def test_waves_are_where_they_were(tmp_path: Path) -> None:
    require_icarus()
    result = run_rtl(
        write_rtl(tmp_path / "rtl"),
        INTERFACE,
        sample_codes(5),
        simulator="icarus",
        build_dir=tmp_path / "w",
        waves=True,
    )
    assert result.waves == tmp_path / "w" / "icarus-waves" / "waves.fst" and result.waves.is_file()
    assert not list((tmp_path / "w").rglob("*run-*"))


def test_the_cache_is_private_or_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product = tmp_path / "program"
    product.write_text("x")
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    place = cache.install(product, "0" * 64, "simulator")
    assert place == tmp_path / "cache" / "simulators" / ("0" * 64) / "simulator"
    assert cache.find("0" * 64, "simulator") == place and cache.find("1" * 64, "simulator") is None
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    (tmp_path / "cache").chmod(0o777)  # now anybody could have put it there
    with pytest.warns(UserWarning, match="is no directory that only you can write"):
        assert cache.find("0" * 64, "simulator") is None
    (tmp_path / "link").symlink_to("cache")
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "link"))
    with pytest.warns(UserWarning, match="is no directory that only you can write"):
        assert cache.find("0" * 64, "simulator") is None
    (tmp_path / "cache").chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.warns(UserWarning, match="is no directory that only you can write"):
        assert cache.find("0" * 64, "simulator") is None


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "KEPT", 3)
    product = tmp_path / "program"
    product.write_text("x")
    digests = [f"{number:064x}" for number in range(5)]
    for number, digest in enumerate(digests):
        place = cache.install(product, digest, "simulator")
        os.utime(place.parent, (1000 + number, 1000 + number))
    (tmp_path / "cache" / "simulators" / "of the user").mkdir()
    os.utime(tmp_path / "cache" / "simulators" / digests[2], (2000, 2000))
    cache.install(product, "f" * 64, "simulator")
    kept = {entry.name for entry in (tmp_path / "cache" / "simulators").iterdir()}
    assert kept == {"of the user", digests[2], digests[4], "f" * 64}


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(WriteError, match="name another directory in DIFFLUT_CACHE_DIR"):
        cache.install(tmp_path / "missing", "0" * 64, "simulator")
    assert not list((tmp_path / "cache" / "simulators").iterdir())


@pytest.mark.filterwarnings("ignore:simulators are not kept")
def test_without_a_cache_simulators_are_kept_while_this_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    product = tmp_path / "program"
    product.write_text("x")
    place = cache.install(product, "0" * 64, "simulator")
    with scratch("other"):  # looks for what killed runs left
        assert cache.find("0" * 64, "simulator") == place


def test_the_platforms_cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFLUT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    product = tmp_path / "program"
    product.write_text("x")
    assert cache.install(product, "0" * 64, "a").is_relative_to(tmp_path / "xdg" / "difflut" / "simulators")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "net/work")  # relative ones are to be ignored
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.install(product, "0" * 64, "a").is_relative_to(tmp_path / "home")


def test_pythons_children_import_nothing_from_where_they_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, log = tmp_path / "canary", tmp_path / "log"
    work = tmp_path / "work"
    plant(work, canary, "pyosys", "json", "sitecustomize", "usercustomize", "difflut")
    for value in ("", ".", f":{ROOT}", f"{ROOT}::"):
        monkeypatch.setenv("PYTHONPATH", value)
        monkeypatch.chdir(ROOT)
        command = [
            *python_command("import json, difflut; print(json.__file__, difflut.__file__, sys.argv)"),
            "argument",
        ]
        assert run_logged(command, log=log, cwd=work, environment=clean_environment()) in (0, 1)
        assert not canary.exists(), (value, log.read_text())
    assert "['-c', 'argument']" in log.read_text()


def test_yosys_for_proofs_imports_nothing_from_its_folder(tmp_path: Path) -> None:
    require_yosys()
    plant(tmp_path, tmp_path / "canary", "pyosys", "json")
    status, printed = run_script(["log reached"], tmp_path)
    assert status == 0 and "reached" in printed and not (tmp_path / "canary").exists()


def test_search_paths_have_absolute_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, f"::/usr/bin:lib:.:{os.environ['PATH'] if name == 'PATH' else ''}")
        entries = clean_environment()[name].split(":")
        assert entries[:3] == ["/usr/bin", str(tmp_path / "lib"), str(tmp_path)] and all(map(os.path.isabs, entries))
    monkeypatch.setenv("LD_LIBRARY_PATH", ":")
    assert "LD_LIBRARY_PATH" not in clean_environment()


@pytest.mark.parametrize(
    "call", [["-m", "difflut"], ["-c", "import sys; sys.path.remove(''); from difflut.cli import main; main()"]]
)
def test_the_working_directory_is_not_imported_from(tmp_path: Path, call: list[str]) -> None:
    canary = tmp_path / "canary"
    plant(tmp_path / "home", canary, "dill", "cuda", "click", "jinja2", "numpy", "json", "difflut_models", "verilator")
    done = subprocess.run(
        [sys.executable, *call, "list"],
        cwd=tmp_path / "home",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "mnist_fc_8k_dwn" in done.stdout, done.stderr
    assert not canary.exists()


OWN = "from difflut.models.mnist import MNISTFullyConnected as Net\n"


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with modules that must not be imported; what is put on Python's path goes afterwards."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    plant(tmp_path, tmp_path / "canary", "json", "small_models")
    return tmp_path


def test_a_named_module_of_the_working_directory_finds_its_neighbours(own_folder: Path) -> None:
    before = list(sys.path)
    (own_folder / "own_module_a.py").write_text("import json, own_neighbour_a\n" + OWN)
    (own_folder / "own_neighbour_a.py").write_text("def later():\n    import own_neighbour_b\n")
    (own_folder / "own_neighbour_b.py").write_text("")
    (own_folder / "own_package_b").mkdir()
    (own_folder / "own_package_b" / "__init__.py").write_text("")
    (own_folder / "own_package_b" / "nets.py").write_text("from own_package_b import parts\n" + OWN)
    (own_folder / "own_package_b" / "parts.py").write_text("")
    assert callable(find("own_module_a:Net"))
    sys.modules["own_neighbour_a"].later()
    assert callable(find("own_package_b.nets:Net")) and callable(find("own_module_a:Net"))
    assert sys.path == [*before, str(own_folder)]  # once, and last
    assert (_import_paths()[-1], _import_paths().count(str(ROOT))) == (str(own_folder), 1)
    assert not (own_folder / "canary").exists()


def test_the_working_directory_is_searched_for_a_module_that_lies_there_only(own_folder: Path) -> None:
    before = list(sys.path)
    (own_folder / "own_neighbour_c.py").write_text("")
    assert callable(find("small_models:Chain"))  # what is installed comes first
    for missing in ("own_module_c:Net", "own_module_c.nets:Net", ":Net", ".own_neighbour_c:Net", "json.own:Net"):
        with pytest.raises(ConfigError, match=r"cannot load model .* expected an importable module:Class"):
            find(missing)
    assert sys.path == before and str(own_folder) not in _import_paths()
    assert not (own_folder / "canary").exists()


@pytest.mark.parametrize("name", ["a b'c", 'a"; exec -- touch P; "b', "größe $(touch P) `touch P` [exec touch P]#;&|"])
def test_a_build_directory_of_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Scripts have no path in them; what is printed to be typed is quoted."""
    require_icarus()
    require_yosys()
    model, folder = fitted(Chain()), tmp_path / "place" / name
    folder.parent.mkdir()
    model.save_checkpoint(tmp_path / "net.safetensors")
    monkeypatch.chdir(folder.parent)
    options = ["--model", "small_models:Chain"]
    status, out, err = run(capsys, "export", tmp_path / "net.safetensors", "--out", folder, *options)
    assert status == 0, err
    line = next(line for line in out.splitlines() if line.startswith("next: "))
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {line.removeprefix('next: ')}"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"difflut\nverify\n{folder}\n--model\nsmall_models:Chain\n"
    status, out, err = run(capsys, "verify", folder, "--random-only", "--simulator", "icarus", *options)
    assert status == 0, err
    status, out, err = run(capsys, "synth", folder, "--flow", "vivado", "--no-run")
    assert status == 0, err
    if name.startswith("a"):
        assert run(capsys, "synth", folder)[0] == 0
    assert sorted(path.name for path in folder.parent.iterdir()) == [name]
    assert not list(tmp_path.rglob("P"))


def test_options_are_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = export_model(fitted(Chain()), tmp_path / "net")
    (tmp_path / "x.lpf").write_text("")
    for options in (
        ["synth", folder, "--flow", "vivado", "--device", "xc7; exec touch P"],
        ["synth", folder, "--flow", "vivado", "--device", "xc7\n"],
        ["synth", folder, "--flow", "vivado", "--device", "[exec touch P]"],
        ["synth", folder, "--flow", "nextpnr", "--device", "../../x"],
        ["synth", folder, "--flow", "nextpnr", "--device", "--help"],
        ["synth", folder, "--fpga", "../../x"],
        ["synth", folder, "--fpga", "xc7; exec touch P"],
        ["export", "mnist_bitflip_0", "--out", "a\nb"],
        ["export", "mnist_bitflip_0", "--fpga", "$(touch P)"],
        ["export", "mnist_bitflip_0", "--pipeline", "x; exec touch P"],
        ["export", "mnist_bitflip_0", "--outputs", "top-1; touch P"],
        ["export", "mnist_bitflip_0", "--interface", "axi-stream", "--stream-output", "x\ny"],
    ):
        status, _, err = run(capsys, *options)
        assert status == 2 and err.startswith("error: "), (options, err)
    assert not (folder / "work").exists() and sorted(os.listdir(tmp_path)) == ["net", "x.lpf"]
