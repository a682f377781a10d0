"""The plain network of any data: made, saved, loaded without its class, exported; hostile arguments are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import difflut
from difflut.errors import CheckpointError, ConfigError
from difflut.export.builds.make import design_model
from difflut.input_format import InputFormat
from difflut.models import FullyConnected, load_model

LEARNED = {"connections": "learnable", "candidates": 16}


def fitted(shape: tuple[int, ...], **options: object) -> FullyConnected:
    torch.manual_seed(0)
    model = FullyConnected("net", shape, 3, (9, 7), n=4, bits=2, **options)  # type: ignore[arg-type]
    model.fit_encoder(torch.rand(50, *shape))
    return model


@pytest.mark.parametrize("shape", [(5,), (4, 4), (2, 3, 3)])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_checkpoint_says_how_it_is_made(tmp_path: Path, shape: tuple[int, ...], frozen: bool) -> None:
    model = fitted(shape, input_bits=5, grid_bits=3, tau=2.5, connections=({"connections": "learnable"}, {}))
    model.save_checkpoint(tmp_path / "net.safetensors", frozen=frozen)
    again = load_model(str(tmp_path / "net.safetensors"))
    x = torch.rand(40, *shape)
    assert type(again) is FullyConnected
    assert torch.equal(again(x), model.eval()(x))
    assert again.input_shape == shape
    if frozen:
        build = difflut.export_model(again, tmp_path / "build")
        report = difflut.verify(build, simulator="none")
        assert report.ok


def test_the_last_width_is_raised_to_a_multiple_of_the_classes() -> None:
    assert FullyConnected("net", (4,), 3, (8, 7)).widths == (8, 9)


def test_one_threshold_on_a_grid_of_one_bit_costs_no_lut() -> None:
    torch.manual_seed(0)
    model = FullyConnected("net", (16,), 2, (8,), bits=1, grid_bits=1, input_format=InputFormat(5, False, 1.0))
    model.fit_encoder(torch.randint(0, 32, (200, 16), dtype=torch.uint8))
    parts = {part.name: part.estimated_luts for part in design_model(model.eval(), fpga="xcup").info.parts}
    assert parts["encoder"] == 0


def test_thresholds_at_equal_distances() -> None:
    model = FullyConnected("net", (2,), 2, (4,), bits=3, grid_bits=2, encoder="thermometer")
    model.fit_encoder(torch.tensor([[0, 0], [255, 255], [1, 1]], dtype=torch.uint8))
    codes = (255 * model.encoder.thresholds).ceil()
    assert codes.tolist() == [[64, 128, 192]] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder": "gray"}, "encoder 'gray' is no thermometer"),
        ({"widths": ()}, "0 LUT layers and input shape (4,); expected from 1 to 64 layers"),
        ({"widths": (0,)}, "a width is 0; expected an integer from 1 to 67108864"),
        ({"widths": (2.0,)}, "a width is 2.0; expected an integer from 1 to 67108864"),
        ({"input_shape": ()}, "input shape (); expected"),
        ({"input_shape": (4, 0)}, "an element of input_shape is 0; expected an integer from 1 to 16777216"),
        ({"num_classes": 0}, "num_classes is 0; expected an integer from 1 to 65536"),
        ({"bits": 0}, "bits is 0; expected an integer from 1 to 65536"),
        ({"connections": ({}, {})}, "2 layers have connections, 1 have widths; give the arguments of each layer"),
    ],
)
def test_what_is_no_network_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        FullyConnected(**{"name": "net", "input_shape": (4,), "num_classes": 2, "widths": (4,), **changes})  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_connections_that_no_memory_has_room_for_are_refused_before_they_are_made() -> None:
    model = FullyConnected("net", (1000,), 2, (1 << 24,), connections=({"connections": "learnable"},))
    with pytest.raises(ConfigError, match="among 3000 take 301,989,888,000 weights"):
        model.fit_encoder(torch.rand(10, 1000))


def test_a_file_that_claims_more_nodes_than_it_has_is_refused(tmp_path: Path) -> None:
    model = fitted((5,))
    model._made_with = (("net", (5,), 3, (9, 1 << 26)), {})
    model.save_checkpoint(tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match="its arguments claim 67108875 nodes"):
        load_model(str(tmp_path / "net.safetensors"))
