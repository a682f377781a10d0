"""Layers and nodes under several names, several encoders, encoders of some features and inside of layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from difflut.encoders import DistributiveThermometer, Gray, Thermometer
from difflut.errors import CheckpointError, LostFeatureWarning
from difflut.export.builds.make import make_build
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.heads import GroupSum
from difflut.input_format import InputFormat
from difflut.layers import LUTLayer
from difflut.models import BaseModel
from difflut.training import predict_scores


class Eight(BaseModel):
    """Eight features, two classes."""

    def __init__(self, input_format: InputFormat | None = None) -> None:
        super().__init__("eight", 8, 2, input_format=input_format)
        self.encoder = Thermometer(2)
        self.head = GroupSum(2)

    def _build_layers(self) -> None:
        self.last = LUTLayer(16, 16, 3)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.bits(x)))

    def bits(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class SharedLayer(Eight):
    def _build_layers(self) -> None:
        super()._build_layers()
        self.first = LUTLayer(16, 16, 3, connections="learnable")
        self.again = self.first

    def bits(self, x: Tensor) -> Tensor:
        return self.again(self.first(self.encoder(x)))


class TwiceInAList(Eight):
    def _build_layers(self) -> None:
        super()._build_layers()
        layer = LUTLayer(16, 16, 3, "linear")
        self.layers = nn.ModuleList([layer, layer, self.last])

    def bits(self, x: Tensor) -> Tensor:
        return self.layers[1](self.layers[0](self.encoder(x)))


class SharedNodes(Eight):
    """Two layers of the same tables, each with its own connections."""

    def _build_layers(self) -> None:
        super()._build_layers()
        self.first, self.second = LUTLayer(16, 16, 3), LUTLayer(16, 16, 3)
        self.second.nodes = self.first.nodes

    def bits(self, x: Tensor) -> Tensor:
        return self.second(self.first(self.encoder(x)))


class SharedConnections(SharedNodes):
    def _build_layers(self) -> None:
        super()._build_layers()
        self.second = LUTLayer(16, 16, 3)
        self.first.wiring = self.last.wiring = self.second.wiring


class SharedEncoder(Eight):
    def __init__(self, input_format: InputFormat | None = None) -> None:
        super().__init__(input_format)
        self.other = self.encoder

    def bits(self, x: Tensor) -> Tensor:
        return torch.cat([self.encoder(x[:, :4]), self.other(x[:, 4:])], dim=1)


class TwoEncoders(Eight):
    """One whole, with look-ups of its own, and the default one."""

    def __init__(self, input_format: InputFormat | None = None) -> None:
        super().__init__(input_format)
        self.fine = Gray(3)

    def _build_layers(self) -> None:
        super()._build_layers()
        self.first = LUTLayer(self.encoder.output_width + self.fine.output_width, 16, 3)

    def bits(self, x: Tensor) -> Tensor:
        return self.first(torch.cat([self.encoder(x), self.fine(x)], dim=1))


class Parts(Eight):
    """Encoders of some features each; the default one is not used."""

    def __init__(self, input_format: InputFormat | None = None) -> None:
        super().__init__(input_format)
        self.parts = nn.ModuleList([Thermometer(1), DistributiveThermometer(3, grid_bits=4)])

    def _build_layers(self) -> None:
        super()._build_layers()
        self.first = LUTLayer(sum(part.output_width for part in self.parts), 16, 3)

    def bits(self, x: Tensor) -> Tensor:
        return self.first(torch.cat([self.parts[0](x[:, :3]), self.parts[1](x[:, 3:])], dim=1))


class Renamed(Parts):
    """As `Parts`, but `encoder` itself is one of some features."""

    def __init__(self, input_format: InputFormat | None = None) -> None:
        super().__init__(input_format)
        self.encoder = self.parts[1]


class Patches(Eight):
    """One encoder for all patches, which are rows."""

    def bits(self, x: Tensor) -> Tensor:
        return self.encoder(x.reshape(-1, 4)).reshape(len(x), 16)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Thermometer(2)
        self.lut = LUTLayer(8, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.lut(self.encoder(x))


class InLayers(Eight):
    def __init__(self, input_format: InputFormat | None = None) -> None:
        super().__init__(input_format)
        self.left, self.right = Block(), Block()

    def bits(self, x: Tensor) -> Tensor:
        return torch.cat([self.left(x[:, :4]), self.right(x[:, 4:])], dim=1)


class InBuiltLayers(Eight):
    """The encoders are made once the layers are."""

    def _build_layers(self) -> None:
        super()._build_layers()
        self.left, self.right = Block(), Block()

    def bits(self, x: Tensor) -> Tensor:
        return torch.cat([self.left(x[:, :4]), self.right(x[:, 4:])], dim=1)


CODES = torch.randint(0, 256, (300, 8), generator=torch.Generator().manual_seed(1), dtype=torch.int32)
KINDS = (
    SharedLayer,
    TwiceInAList,
    SharedNodes,
    SharedConnections,
    SharedEncoder,
    TwoEncoders,
    Parts,
    Renamed,
    Patches,
    InLayers,
    InBuiltLayers,
)


def fitted(kind: type[Eight]) -> Eight:
    torch.manual_seed(2)
    model = kind()
    model.fit_encoder(CODES[:100])
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_saved_loaded_and_exported(tmp_path: Path, kind: type[Eight]) -> None:
    model = fitted(kind).eval()
    scores, classes = predict_scores(model, CODES)
    assert len(scores.unique(dim=0)) > 5
    for frozen in (False, True):
        model.save_checkpoint(tmp_path / "net", frozen=frozen)
        loaded = kind()
        loaded.load_checkpoint(tmp_path / "net")
        assert torch.equal(loaded(CODES), model(CODES))
        assert loaded.checkpoint_bytes(frozen=frozen) == (tmp_path / "net").read_bytes()
    result = simulate(trace(model), CODES.numpy())
    assert (result.scores == scores.numpy()).all() and (result.classes == classes.numpy()).all()
    make_build(model)  # with its self-check


def test_sharing_is_stored_once_and_restored(tmp_path: Path) -> None:
    for kind, shared in ((SharedLayer, ("first", "again")), (SharedNodes, ("first", "second"))):
        model = fitted(kind)
        model.save_checkpoint(tmp_path / "net")
        loaded = kind()
        loaded.load_checkpoint(tmp_path / "net")
        one, other = (loaded.get_submodule(name).get_parameter("nodes.table") for name in shared)
        assert one is other
        tables = 2 * 16 * 8 * 4  # in float32, two of the three layers'
        assert tables < len(model.checkpoint_bytes()) < 1.5 * tables + 1200


def test_what_only_the_saved_model_shares_is_no_checkpoint_of_the_class(tmp_path: Path) -> None:
    class Separate(SharedNodes):
        def _build_layers(self) -> None:
            super()._build_layers()
            self.second = LUTLayer(16, 16, 3)

    fitted(SharedNodes).save_checkpoint(tmp_path / "net")
    with pytest.raises(CheckpointError, match=r"it has no tensor second\.nodes\.table"):
        Separate().load_checkpoint(tmp_path / "net")


def test_an_encoder_is_fitted_on_what_it_gets() -> None:
    numbers = CODES[:100].float() / 255
    parts = fitted(Parts).parts
    assert torch.equal(parts[0].thresholds, Thermometer(1).fit(numbers[:, :3]).thresholds)
    expected = DistributiveThermometer(3, grid_bits=4).fit(numbers[:, 3:], InputFormat()).thresholds
    torch.testing.assert_close(parts[1].thresholds, expected, rtol=0, atol=1e-6)
    patches = fitted(Patches).encoder.thresholds
    assert torch.equal(patches, Thermometer(2).fit(numbers.reshape(-1, 4)).thresholds)
    right = fitted(InBuiltLayers).right.encoder.thresholds
    assert torch.equal(right, Thermometer(2).fit(numbers[:, 4:]).thresholds)


def test_fitting_leaves_the_model_as_it_was() -> None:
    model = Parts()
    model.head.eval()
    model.fit_encoder(CODES[:100])
    assert type(model) is Parts and "forward" not in vars(model.parts[0])
    with pytest.raises(AttributeError, match="nothing"):
        _ = model.nothing


def test_grids_follow_the_codes_of_the_features_that_an_encoder_gets() -> None:
    """Feature f has codes of its own, of the numbers f to f + 1."""
    form = InputFormat(8, divisor=(255.0,) * 8, offset=tuple(map(float, range(8))))
    model = Parts(form)
    model.fit_encoder(CODES[:100])
    netlist = trace(model.eval())
    thresholds = netlist.compare_threshold[netlist.compare_feature >= 3]
    assert len(thresholds) == 15 and not (thresholds % 16).any()


def test_a_feature_is_lost_only_if_all_encoders_lose_it() -> None:
    def distinct(kind: type[Eight]) -> Eight:
        model = kind(InputFormat(8, divisor=255.0))
        model.encoder = Thermometer(1)
        return model

    data = CODES[:100].float() / 255
    data[:, 2] = 0.5
    data[0, 2] = 0.5001  # the same code
    with pytest.warns(LostFeatureWarning):
        report = distinct(TwoEncoders).fit_encoder(data).encoder_report
    assert report is not None and report.lost_features == (2,) and report.bits == 8 * 4
    assert distinct(Parts).fit_encoder(data).encoder_report.bits == 3 + 15  # type: ignore[union-attr]
