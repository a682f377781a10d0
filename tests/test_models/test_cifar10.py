"""The convolutional model at a tiny size: training, its circuit, its encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import SmallImages, fitted, random_codes
from tools import require_icarus, require_verilator

from difflut.check.verification import verify
from difflut.data import Split
from difflut.errors import ConfigError
from difflut.export.builds import store
from difflut.export.builds.make import make_build
from difflut.export.circuit.rules import check
from difflut.export.circuit.simulate import simulate
from difflut.export.frontend.trace import trace
from difflut.layers import LayerConfig
from difflut.models import get_model
from difflut.models.cifar10 import ChannelThermometer, CIFAR10Conv
from difflut.training import predict, predict_scores


def tiny(**options: object) -> CIFAR10Conv:
    shape: dict[str, object] = {
        "image_size": 8, "bits": 2, "kernels": (4, 6), "depths": (1, 2), "widths": (60, 40), "config": LayerConfig(n=3),
        **options,
    }  # fmt: skip
    return CIFAR10Conv(**shape)  # type: ignore[arg-type]


@pytest.mark.parametrize("initializer", [None, "residual"])
def test_circuit_computes_the_models_scores(initializer: str | None) -> None:
    model = fitted(tiny(config=LayerConfig(n=3, initializer=initializer)))
    netlist = trace(model)
    check(netlist)
    codes = random_codes(model, 200, seed=1)
    scores, classes = predict_scores(model, codes)
    outputs = simulate(netlist, codes.reshape(200, -1).numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())
    assert len(scores.unique(dim=0)) > 5


def test_every_parameter_is_trained_and_the_loss_falls() -> None:
    """On ten images that are flat in each quarter, as noise would saturate the OR of four pixels."""
    model = tiny(tau=2.0)
    torch.manual_seed(0)
    codes = torch.randint(0, 256, (10, 3, 2, 2)).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    labels = torch.arange(10)
    model.fit_encoder(codes).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for step in range(40):
        loss = torch.nn.functional.cross_entropy(model(codes), labels)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            assert all(bool(parameter.grad.any()) for parameter in model.parameters())  # type: ignore[union-attr]
        optimizer.step()
        model.project()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert torch.equal(model(codes), model.eval()(codes))


def test_checkpoint(tmp_path: object) -> None:
    model = fitted(tiny())
    codes = random_codes(model, 20)
    model.save_checkpoint(f"{tmp_path}/model.safetensors", frozen=True)
    assert torch.equal(tiny().load_checkpoint(f"{tmp_path}/model.safetensors")(codes), model(codes))


def test_default_sizes() -> None:
    model = CIFAR10Conv()
    assert model.name == "cifar10_conv"
    assert model.input_shape == (3, 32, 32)
    model.fit_encoder(random_codes(model, 3))
    widths = [layer.out_width for _, layer in model.lut_layers()]
    assert widths == [32, 96, 4000]
    first, second, classifier = (layer for _, layer in model.lut_layers())
    assert first.learnable is not None and first.learnable.weight.shape[2] == 9 * 3 * 3  # all bits of a window
    assert second.learnable is None
    assert classifier.in_width == 32 * 16**2 + 96 * 8**2  # both stages
    assert classifier.learnable is not None and classifier.learnable.weight.shape[2] == 512


def test_thresholds_are_quantiles_of_the_channel() -> None:
    x = torch.stack([torch.arange(12.0), torch.arange(12.0, 24.0)])  # two samples, two channels of six pixels
    encoder = ChannelThermometer(3, 2)
    encoder.fit(x)
    assert encoder.thresholds.shape == (12, 3)
    first, second = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17], [6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23]
    assert encoder.thresholds[:6].tolist() == [[first[3], first[6], first[9]]] * 6
    assert encoder.thresholds[6:].tolist() == [[second[3], second[6], second[9]]] * 6


def test_many_training_samples_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChannelThermometer, "MAX_VALUES", 8)
    x = torch.arange(16.0)[:, None].repeat(1, 2)
    thresholds = ChannelThermometer(1, 1).fit(x).thresholds
    assert thresholds.tolist() == [[8.0], [8.0]]  # samples 0, 4, 8, 12 are left


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_small_design_agrees_in_rtl(tmp_path: Path, simulator: str) -> None:
    """Fully unrolled, every score and class against PyTorch."""
    require_icarus() if simulator == "icarus" else require_verilator()
    model = fitted(SmallImages())
    store.write(make_build(model), tmp_path / "net")
    codes = random_codes(model, 30, seed=2)
    data = Split(codes, predict(model, codes).argmax(dim=1))
    report = verify(
        tmp_path / "net", data=data, data_name="random", simulator=simulator, model_class="small_models:SmallImages"
    )
    assert report.ok
    assert [(step.name, step.images, step.random) for step in report.steps] == [("netlist", 30, 100), ("RTL", 30, 100)]
    assert report.steps[1].accuracy == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kernels": (4,)},
            "model 'cifar10_conv': kernels (4,) and depths (1, 2) must have one entry a stage each",
        ),
        (
            {"image_size": 6},
            "model 'cifar10_conv': image_size is 6; 2 stages of pooling need a multiple of 4",
        ),
    ],
)
def test_wrong_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tiny(**options)
    assert str(caught.value) == message


def test_channels_must_divide_the_features() -> None:
    with pytest.raises(ConfigError, match="ChannelThermometer: 4 features do not split into 3 equal channels"):
        ChannelThermometer(1, 3).fit(torch.zeros(2, 4))
    with pytest.raises(ConfigError, match="ChannelThermometer: channels is 0; it must be at least 1"):
        ChannelThermometer(1, 0)


def test_shipped_weights_and_their_netlist_agree() -> None:
    """On random codes and on flat images, as the images themselves are not in the package."""
    model = get_model("cifar10_conv", pretrained=True)
    assert model.info["data"] == "CIFAR-10, JPEG re-encoded"
    assert model.info["test_samples"] == 10_000
    flat = torch.arange(0, 256, 16, dtype=torch.int32)[:, None, None, None].expand(-1, 3, 32, 32)
    codes = torch.cat([random_codes(model, 48, seed=3), flat])
    scores, classes = predict_scores(model, codes)
    outputs = simulate(trace(model), codes.reshape(len(codes), -1).numpy())
    np.testing.assert_array_equal(outputs.scores, scores.numpy())
    np.testing.assert_array_equal(outputs.classes, classes.numpy())
    assert len(classes.unique()) > 1
