"""The PYNQ driver of a build, in front of a simulated circuit: no board."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import fake_pynq
import numpy as np
import pytest
import torch
from axi_builds import Signed, axi_build
from convolutions import Plan, Step
from convolutions import made as made_convolution
from several_heads import SeveralHeads
from small_models import Chain, fitted

from difflut.errors import ConfigError
from difflut.export.builds import pack_samples, store, unpack_results
from difflut.export.builds.frames import framing_of
from difflut.export.builds.make import make_build
from difflut.export.builds.pynq import driver
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate
from difflut.export.interfaces.framing import Stream

KINDS = ("narrow", "class", "wide", "one beat", "identity", "none", "pixels")


@cache
def build(kind: str) -> Build:
    if kind == "pixels":
        stack = made_convolution(Plan((2, 4, 3), (Step(2, (3, 3), padding=(1, 1)),), bits=2))
        return make_build(stack, form="streaming", interface="axi-stream", stream=Stream(16, "scores"))
    return axi_build(kind)


@pytest.fixture
def pynq(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = fake_pynq.module()
    monkeypatch.setitem(sys.modules, "pynq", fake)
    return fake


def loaded(made: Build) -> Any:
    """The driver's module, without difflut: it is what is copied to a board."""
    text = made.text(f"sw/{made.info.name}_pynq.py")
    assert "difflut" not in [word for line in text.splitlines() if "import " in line for word in line.split()]
    module = ModuleType("driver")
    exec(compile(text, "driver.py", "exec"), module.__dict__)  # noqa: S102 (an export wrote it)
    return module


def samples_of(made: Build, count: int = 9) -> np.ndarray:
    """Random codes and the extreme ones, in the order of the model."""
    form, generator = made.info.input.format, np.random.default_rng(0)
    codes = generator.integers(form.lowest, form.highest, (count, *made.info.input.shape), endpoint=True)
    codes[0], codes[1] = form.lowest, form.highest
    return codes


def dma_of(made: Build, folder: Path, codes: np.ndarray) -> fake_pynq.DMA:
    """A DMA with the circuit, which knows the samples by their frames."""
    store.write(made, folder)
    frames = pack_samples(folder, codes).reshape(len(codes), -1)
    known = {frame.tobytes(): number for number, frame in enumerate(frames)}
    outputs = simulate(made.circuit, codes.reshape(len(codes), -1))
    results = outputs.scores if made.info.axi_stream.output == "scores" else outputs.classes[:, None]  # type: ignore[union-attr]
    beats = framing_of(made.info).results.pack(results)
    np.testing.assert_array_equal(unpack_results(folder, beats), results)
    return fake_pynq.DMA(lambda frame: beats[known[frame.tobytes()]].reshape(-1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_result_is_that_of_the_circuit(kind: str, pynq: Any, tmp_path: Path) -> None:
    made, module = build(kind), loaded(build(kind))
    codes = samples_of(made)
    outputs = simulate(made.circuit, codes.reshape(len(codes), -1))
    with module.Classifier(dma_of(made, tmp_path / "net", codes)) as classifier:
        np.testing.assert_array_equal(classifier.classify(codes), outputs.classes)
        if made.info.axi_stream.output == "scores":  # type: ignore[union-attr]
            np.testing.assert_array_equal(classifier.results(codes), outputs.scores)
        assert len(set(outputs.classes.tolist())) > 1 and classifier.results(codes[:0]).shape[0] == 0
    assert pynq.buffers and all(buffer.freed for buffer in pynq.buffers)


def test_numbers_are_rounded_as_the_model_does(pynq: Any) -> None:
    form, module = build("narrow").info.input.format, loaded(build("narrow"))
    numbers = np.random.default_rng(0).normal(0, 200, (50, 6)).astype(np.float32)
    numbers[0], numbers[1] = [0.0625, 0.1875, -0.0625, 1e30, -np.inf, 255.96], 3e38
    np.testing.assert_array_equal(module.codes_of(numbers), form.codes_of(numbers))
    tensor = torch.from_numpy(numbers)
    np.testing.assert_array_equal(module.codes_of(numbers), form.quantize(tensor).numpy())


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 5), int), "samples of 5 features; chain takes 6"),
        (np.full((2, 6), 2048), "codes from 2048 to 2048; chain takes -2048 to 2047"),
        (np.full((2, 6), np.nan), "a sample has a NaN, which has no code; leave it out or replace it"),
        (np.full((2, 6), "x"), "samples of type <U1; expected integer codes or floating numbers"),
    ],
)
def test_samples_that_are_none(samples: np.ndarray, message: str, pynq: Any) -> None:
    with pytest.raises(ValueError) as caught:
        loaded(build("narrow")).codes_of(samples)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["narrow", "identity"])
def test_the_registers_of_another_circuit_are_refused(kind: str, pynq: Any) -> None:
    made, module = build(kind), loaded(build(kind))
    registers = made.info.axi_stream.registers  # type: ignore[union-attr]
    right = {register.offset: register.value or 0 for register in registers}
    assert module.Registers.bindto == ["xilinx.com:module_ref:chain:1.0"]
    module.Classifier(None, module.Registers({"registers": right})).close()
    constants = [register for register in registers if register.access == "constant"]
    assert len(constants) == 12
    for register in constants:
        wrong = {**right, register.offset: (register.value or 0) ^ 1}
        with pytest.raises(
            RuntimeError, match=f"^register {register.name} reads 0x.*; load the bitstream of this build$"
        ):
            module.Classifier(None, module.Registers({"registers": wrong}))


def test_counters_are_read_and_cleared(pynq: Any) -> None:
    registers = build("narrow").info.axi_stream.registers  # type: ignore[union-attr]
    memory = {register.offset: 100 + register.offset for register in registers}
    found = loaded(build("narrow")).Registers({"registers": memory})
    counters = {register.name: register.offset for register in registers if register.access == "counter"}
    assert found.counters() == {name: 100 + offset for name, offset in counters.items()} and "LAST_LATENCY" in counters
    before = dict(memory)
    found.clear()
    (control,) = (register.offset for register in registers if register.name == "CONTROL")
    assert memory == {**before, control: 1}


def test_what_a_build_does_not_have_its_driver_does_not_have(pynq: Any) -> None:
    assert not hasattr(loaded(build("identity")).Registers, "counters")
    assert not hasattr(loaded(build("none")), "Registers")


def test_several_heads_have_results_and_no_single_class(pynq: Any, tmp_path: Path) -> None:
    made = make_build(fitted(SeveralHeads()), interface="axi-stream")
    codes = samples_of(made)
    with loaded(made).Classifier(dma_of(made, tmp_path / "net", codes)) as classifier:
        scores = simulate(made.circuit, codes.reshape(len(codes), -1)).scores
        np.testing.assert_array_equal(classifier.results(codes), scores)
        assert not hasattr(classifier, "classify")


def test_plain_builds_have_none() -> None:
    made = make_build(fitted(Chain()))
    assert not [name for name in made.files if name.endswith(".py")]
    with pytest.raises(ConfigError, match="frames are for axi-stream"):
        driver(made.info)


def test_a_feature_has_its_own_scale(pynq: Any) -> None:
    """Divisors and offsets that differ arrive in the driver bit by bit."""
    from difflut.input_format import InputFormat

    form = InputFormat(8, False, (0.1, 3.0, 7.7, 1e-3, 2.0, 11.0), (0.3, -1.0, 1e4, 0.0, 0.7, 5.5))
    model = Signed()
    model.input_format = form
    module = loaded(make_build(fitted(model), interface="axi-stream"))
    numbers = np.random.default_rng(1).normal(0, 100, (200, 6)).astype(np.float32)
    np.testing.assert_array_equal(module.codes_of(numbers), form.codes_of(numbers))
