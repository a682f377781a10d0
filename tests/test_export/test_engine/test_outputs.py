"""Which way is taken; both give the same."""

import numpy as np
import pytest
from netlists import codes_for, layered_netlist
from small_models import SmallImages, fitted
from tools import require_tool

from difflut.export.circuit.netlist import CodesError
from difflut.export.circuit.simulate import simulate
from difflut.export.engine import native
from difflut.export.engine import outputs as module
from difflut.export.engine.engine import Engine
from difflut.export.engine.outputs import outputs
from difflut.export.frontend.trace import trace_circuit


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why each engine that was made has no compiled code."""
    made: list[str] = []

    class Noted(Engine):
        def __init__(self, circuit: object) -> None:
            super().__init__(circuit)  # type: ignore[arg-type]
            made.append(self.missing)

    monkeypatch.setattr(module, "Engine", Noted)
    return made


def test_few_samples_are_simulated(engines: list[str]) -> None:
    netlist = layered_netlist((20, 20), features=4, comparators=9)
    codes = codes_for(netlist, 1000)
    assert np.array_equal(outputs(netlist, codes).scores, simulate(netlist, codes).scores)
    assert not engines


def test_many_are_compiled(engines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("cc")
    circuit = trace_circuit(fitted(SmallImages()))
    codes = np.random.default_rng(0).integers(0, 256, (100, circuit.input.features))
    nodes = circuit.layers[0].kernel.luts * circuit.maps[1].pixels
    monkeypatch.setattr(module, "LEAST_SECONDS", len(codes) * nodes / module._A_SECOND_OF_WINDOWS)
    found, expected = outputs(circuit, codes), simulate(circuit, codes)
    assert np.array_equal(found.scores, expected.scores)
    assert np.array_equal(found.classes, expected.classes)
    assert engines == [""]
    with pytest.raises(CodesError):
        outputs(circuit, codes + 256)


def test_without_a_compiler(engines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(module, "LEAST_SECONDS", 0)
    native.load.cache_clear()
    netlist = layered_netlist((20, 20), features=4, comparators=9)
    codes = codes_for(netlist, 100)
    assert np.array_equal(outputs(netlist, codes).scores, simulate(netlist, codes).scores)
    assert engines[0].startswith("no C compiler")
    native.load.cache_clear()
