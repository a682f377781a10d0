"""Estimates of structures that nobody trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from command_line import run
from small_models import Chain, SmallImages, fitted, random_codes
from tools import require_package

import difflut
from difflut.data import Dataset, Split
from difflut.errors import ConfigError
from difflut.models import BaseModel


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Chain, {}),
        (Chain, {"fpga": "xc7", "outputs": "class"}),
        (Chain, {"interface": "axi-stream", "fpga": "ecp5"}),
        (SmallImages, {"form": "streaming"}),
        (SmallImages, {"form": "folded=400"}),
    ],
    ids=str,
)
def test_an_estimate_is_what_an_export_would_say(kind: type[BaseModel], options: dict[str, Any]) -> None:
    model = fitted(kind())
    made = difflut.make_build(model, **options).info
    found = difflut.estimate(model, **options)
    assert found.info == msgspec.structs.replace(made, files={})
    assert found.basis == "the model as it is now"
    untrained = difflut.estimate(kind(), **options)
    assert (untrained.info.schedule.form, untrained.info.interface) == (made.schedule.form, made.interface)
    assert untrained.luts.value > 0 and untrained.latency_cycles > 0
    assert "an untrained structure" in repr(untrained) and "1,000 samples drawn at random" in repr(untrained)


def test_the_model_and_the_generator_stay_as_they_are() -> None:
    model = Chain()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = difflut.estimate(model)
    torch.testing.assert_close(torch.rand(2), expected)
    assert not model.fitted and difflut.estimate(model).info == first.info


def test_what_the_encoder_is_fitted_on() -> None:
    """Data of one value distinguish nothing: no comparator is left."""
    model = Chain()
    x = torch.zeros(50, 6, dtype=torch.int32)
    split = Split(x, torch.zeros(50, dtype=torch.int64))
    for data, name in ((Dataset("zeros", split, split), "zeros"), (split, "the data given"), (x, "the data given")):
        found = difflut.estimate(model, data)
        assert found.info.netlist.comparators < difflut.estimate(model).info.netlist.comparators
        assert found.basis.endswith(f"fitted on {name}")


def test_flip_flops_are_about_those_that_yosys_counts(tmp_path: Path) -> None:
    require_package("pyosys", "synth")
    model = fitted(Chain(features=10, layers=((60, 6), (40, 6)), classes=4))
    counted = difflut.synthesise(difflut.export_model(model, tmp_path / "net")).total.flip_flops
    assert difflut.estimate(model).flip_flops == pytest.approx(counted, rel=0.1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "estimate", "small_models:Chain", "--fpga", "xc7", "--json")
    found, expected = json.loads(out), difflut.estimate(Chain(), fpga="xc7")
    assert status == 0 and found == expected.to_json()
    assert found["clock_mhz"] > 0 and found["luts_are"].startswith("estimated: cost model of xc7")
    codes = random_codes(Chain(), 20).numpy()
    labels = np.zeros(20, np.int64)
    np.savez(tmp_path / "mine.npz", x_train=codes, y_train=labels, x_test=codes, y_test=labels)
    status, out, _ = run(capsys, "estimate", "small_models:Chain", "--data", tmp_path / "mine.npz")
    assert status == 0 and out.startswith("chain on generic, estimated: an untrained structure") and "on mine\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist_fc", "--fpga", "xc7"), "error: unknown model 'mnist_fc'; did you mean"),
        (("small_models:Chain", "--fpga", "xc9"), "error: unknown FPGA family 'xc9'; did you mean xc7 or xcup?"),
        (("small_models:Chain", "--conv", "sideways"), "sideways"),
        (("small_models:Nothing",), "error: cannot load model 'small_models:Nothing'"),
    ],
)
def test_unusable_input(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    status, out, err = run(capsys, "estimate", *arguments)
    assert (status, out) == (2, "") and message in err


def test_a_wrong_option_of_the_function() -> None:
    with pytest.raises(ConfigError, match="unknown interface"):
        difflut.estimate(Chain(), interface="wishbone")
