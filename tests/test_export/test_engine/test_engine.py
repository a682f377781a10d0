"""The engine against `simulate`: every kind of node, code, head and batch, on each width of vectors."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from convolutions import MAJORITY, Plan, Step, made
from hypothesis import given, settings
from netlists import codes_for, layered_netlist, netlists_with_codes
from several_heads import ImageHeads
from several_heads import fitted as fitted_heads
from small_models import Moves, SmallImages, fitted
from tools import require_tool

from difflut import native as compiler
from difflut.errors import ConfigError
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import CONST0, CONST1, CodesError, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.engine import native, program
from difflut.export.engine.engine import BLOCK, Engine
from difflut.export.engine.program import program_of
from difflut.export.errors import ToolError
from difflut.export.frontend.trace import trace, trace_circuit

BATCHES = (0, 1, 4, 5, 63, 64, 65, 129, 257, BLOCK, BLOCK + 1, 1000)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    require_tool("cc")


def assert_as_simulated(circuit: Circuit | Netlist, codes: np.ndarray, engine: Engine | None = None) -> None:
    engine = engine or Engine(circuit)
    assert not engine.missing
    expected, found = simulate(circuit, codes), engine(codes)
    assert found.scores.dtype == found.classes.dtype == np.int64
    assert np.array_equal(found.scores, expected.scores)
    assert np.array_equal(found.classes, expected.classes)
    assert np.array_equal(engine.classes(codes), expected.classes)


@given(netlists_with_codes())
@settings(max_examples=40, deadline=None)
def test_drawn_netlists(case: tuple[Netlist, np.ndarray]) -> None:
    assert_as_simulated(*case)


@pytest.mark.parametrize("n", range(1, 9))
def test_batches_of_every_size_of_nodes(n: int) -> None:
    netlist = layered_netlist((60, 40, 60), n=n, features=21, comparators=70, seed=n)
    engine = Engine(netlist)
    codes = codes_for(netlist, max(BATCHES), n)
    for count in BATCHES:
        assert_as_simulated(netlist, codes[:count], engine)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width_bits", [1, 7, 8, 9, 16, 17, 31])
def test_codes_of_every_width(width_bits: int, signed: bool) -> None:
    form = InputFormat(19, width_bits, signed)
    rng = np.random.default_rng(width_bits)
    builder = NetlistBuilder("codes", form)
    nets = builder.add_comparators(
        rng.integers(0, form.features, 200), rng.integers(form.lowest, form.highest + 2, 200)
    )
    netlist = builder.finish(nets.reshape(2, -1))
    for dtype in (np.int64, program.code_dtype(form), program.code_dtype(form).newbyteorder(">")):
        assert_as_simulated(netlist, codes_for(netlist, 150).astype(dtype))


@pytest.mark.parametrize("sizes", [[1], [1, 1, 1], [2, 7, 8], [9, 15, 16, 17, 63, 64, 300], [1] * 40])
def test_scores_of_every_size(sizes: list[int]) -> None:
    """Of nodes of their own and of any nets, constants and the same net several times."""
    rng = np.random.default_rng(len(sizes))
    count = sum(sizes)
    builder = NetlistBuilder("heads", InputFormat(8, 8))
    bits = builder.add_comparators(rng.integers(0, 8, 40), rng.integers(1, 256, 40))
    own = builder.add_layer(rng.choice(bits, (count, 3)), rng.random((count, 8)) < 0.5)
    anything = rng.choice(np.concatenate([own, bits.reshape(-1), [CONST0, CONST1]]), count)
    offsets = np.cumsum([0, *sizes])
    for nets in (own, anything):
        for decisions in ([len(sizes)], [1] * len(sizes), [1, len(sizes) - 1][: len(sizes)] if len(sizes) > 1 else [1]):
            netlist = builder.finish(Head(offsets, nets, np.array(decisions)))
            assert_as_simulated(netlist, codes_for(netlist, 70))


def test_sections_of_scores_use_rows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    netlist = layered_netlist((100, 400), features=9, comparators=50)
    whole = program_of(netlist).rows
    monkeypatch.setattr(program, "SECTION", 40)
    assert program_of(netlist).rows < whole - 150
    assert_as_simulated(netlist, codes_for(netlist, 99))


def test_deep_netlists_use_rows_again() -> None:
    netlist = layered_netlist((50,) * 30, features=9, comparators=50)
    assert program_of(netlist).rows < 2 + 50 + 3 * 50 + 100
    assert_as_simulated(netlist, codes_for(netlist, 99))


@pytest.mark.parametrize(
    "model",
    [
        lambda: fitted(SmallImages()),
        lambda: fitted(Moves()),
        lambda: fitted_heads(ImageHeads()),
        lambda: made(Plan((2, 5, 4), (Step(3, (3, 2), padding=(1, 1)), Step(0, (2, 2), (2, 2))), read=(0, -1))),
        lambda: made(MAJORITY),
    ],
)
def test_images(model: object) -> None:
    built = model()  # type: ignore[operator]
    codes = np.random.default_rng(0).integers(0, 256, (70, built.input_size))
    assert_as_simulated(trace(built), codes)
    if not isinstance(built, Moves):
        assert_as_simulated(trace_circuit(built), codes)


def test_samples_need_not_be_neighbours() -> None:
    netlist = layered_netlist((40, 20), features=20, comparators=60)
    codes = codes_for(netlist, 300).astype(np.uint8)
    wide = np.zeros((300, 2, 29), np.uint8)
    wide[:, 1, 3:23] = codes
    engine = Engine(netlist)
    expected = simulate(netlist, codes).scores
    for given_codes in (wide[:, 1, 3:23], np.asfortranarray(codes), codes.tolist()):
        assert np.array_equal(engine(given_codes).scores, expected)
    assert np.array_equal(engine(codes[::-3]).scores, expected[::-3])


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_share_the_samples(threads: int) -> None:
    netlist = layered_netlist((40, 20), features=20, comparators=60)
    codes = codes_for(netlist, 4 * BLOCK + 7)
    found, expected = Engine(netlist)(codes, threads), simulate(netlist, codes)
    assert np.array_equal(found.scores, expected.scores)
    assert np.array_equal(found.classes, expected.classes)


def test_wrong_codes_are_refused() -> None:
    engine = Engine(layered_netlist((10,), features=3, width_bits=7, comparators=5))
    for codes in (np.zeros((2, 4), np.uint8), np.zeros((2, 3)), np.full((1, 3), 128, np.uint8)):
        with pytest.raises(CodesError, match="codes"):
            engine(codes)
    with pytest.raises(ConfigError, match=re.escape("threads is 0; expected at least 1")):
        engine(np.zeros((2, 3), np.uint8), threads=0)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache, in which nothing is loaded yet."""
    monkeypatch.setenv("DIFFLUT_CACHE_DIR", str(tmp_path / "cache"))
    native.load.cache_clear()
    yield tmp_path
    native.load.cache_clear()


# What a compiler is told, so that it writes for narrower vectors than the machine's, and for machines without such.
NARROW = {"32 bytes": ("-mno-avx512bw",), "16 bytes": ("-mno-avx2", "-mno-avx512bw"), "none": ("-DPLAIN",)}


@pytest.mark.parametrize("options", NARROW.values(), ids=NARROW)
def test_other_vectors(options: tuple[str, ...], fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_FLAGS", ("-std=gnu99", "-O1", "-shared", "-fPIC", *options))
    for n, width_bits, signed in ((2, 8, False), (4, 16, True), (8, 20, False)):
        netlist = layered_netlist((40, 41, 60), n=n, features=21, comparators=70, width_bits=width_bits, seed=n)
        netlist = netlist.with_(input=InputFormat(21, width_bits + signed, signed))
        assert_as_simulated(netlist, codes_for(netlist, 600))


def test_the_kernel_is_compiled_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_FLAGS", ("-std=gnu99", "-O0", "-shared", "-fPIC"))
    netlist = layered_netlist((20,), features=4, comparators=9)
    assert_as_simulated(netlist, codes_for(netlist, 9))
    native.load.cache_clear()
    monkeypatch.setattr(compiler, "_compiled", None)
    assert_as_simulated(netlist, codes_for(netlist, 9))


def test_a_spoilt_library_is_compiled_again(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_FLAGS", ("-std=gnu99", "-O0", "-shared", "-fPIC"))
    netlist = layered_netlist((20,), features=4, comparators=9)
    Engine(netlist)
    (library,) = fresh.rglob("kernel.so")
    library.unlink()
    library.write_bytes(b"no library")
    native.load.cache_clear()
    assert_as_simulated(netlist, codes_for(netlist, 9))


def test_without_a_compiler_simulate_computes(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    netlist = layered_netlist((20, 20), features=4, comparators=9)
    engine, codes = Engine(netlist), codes_for(netlist, 70)
    named = "CC=no-such-compiler -O2 is no program"
    assert engine.missing == f"no C compiler: {named}; on Debian: sudo apt install gcc"
    assert np.array_equal(engine(codes).scores, simulate(netlist, codes).scores)
    assert np.array_equal(engine.classes(codes), simulate(netlist, codes).classes)
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(fresh))
    with pytest.raises(ToolError, match="no C compiler: none of cc, gcc, clang is there"):
        native.load()


def test_a_big_endian_machine_computes_in_numpy(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    missing = Engine(layered_netlist((10,), features=4, comparators=9)).missing
    assert missing == "the compiled engine is for little-endian machines; this one is big-endian"


def test_a_compiler_that_fails_says_why(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(shutil.which("false")))
    with pytest.raises(ToolError, match=re.escape("false cannot compile kernel.c: (it printed nothing)")):
        native.load()
    monkeypatch.setenv("CC", "cc --no-such-option")
    assert "no-such-option" in Engine(layered_netlist((10,), features=4, comparators=9)).missing
