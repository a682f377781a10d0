"""State dicts into models that are not fitted, optimizers before that, weights that are trained further."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from difflut.data import Dataset, mnist_test
from difflut.encoders import Thermometer
from difflut.errors import CheckpointError, ConfigError, NotFittedError
from difflut.heads import GroupSum
from difflut.layers import LUTLayer
from difflut.models import BaseModel, get_model, load_model
from difflut.models.checkpoint import read_checkpoint
from difflut.training import Recipe, predict_scores, train

NUMBERS = torch.randn(80, 4, generator=torch.Generator().manual_seed(3)) * 5


class Net(BaseModel):
    """Fits its codes to the data; one of its encoders is made with the layers."""

    def __init__(self, family: str = "dwn_stable", input_bits: int | None = 6) -> None:
        super().__init__("net", 4, 2, input_bits=input_bits)
        self.family = family
        self.encoder = Thermometer(3)
        self.head = GroupSum(2)

    def _build_layers(self) -> None:
        self.coarse = Thermometer(1)
        self.first = LUTLayer(16, 12, 3, self.family, connections="learnable")
        self.second = LUTLayer(12, 8, 2, self.family)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(torch.cat([self.encoder(x), self.coarse(x)], dim=1))))


class Wrapper(nn.Module):
    """As a module of somebody else's training framework holds a model."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()
        self.scale = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def fitted(family: str = "dwn_stable") -> Net:
    torch.manual_seed(4)
    model = Net(family)
    model.fit_encoder(NUMBERS)
    return model


def frozen_connections() -> Net:
    model = fitted()
    model.first.freeze_connections()
    return model


def frozen() -> Net:
    model = fitted()
    model.freeze()
    return model


@pytest.mark.parametrize("make", [fitted, frozen_connections, frozen])
def test_a_state_dict_fits_a_fresh_model(tmp_path: Path, make: Callable[[], Net]) -> None:
    model = make()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    fresh = Net("dwn_stable")
    fresh.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert fresh.input_format == model.input_format
    assert torch.equal(fresh.train()(NUMBERS), model.train()(NUMBERS))
    assert torch.equal(fresh.eval()(NUMBERS), model.eval()(NUMBERS))
    assert fresh.checkpoint_bytes() == model.checkpoint_bytes()


def test_so_does_one_of_a_module_that_holds_the_model() -> None:
    trained, fresh = Wrapper(), Wrapper()
    trained.net.fit_encoder(NUMBERS)
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh.eval()(NUMBERS), trained.eval()(NUMBERS))


def test_into_a_fitted_model_it_brings_the_codes() -> None:
    model, other = fitted(), Net()
    other.fit_encoder(NUMBERS * 3)
    assert other.input_format != model.input_format
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval()(NUMBERS), model.eval()(NUMBERS))


def test_the_layers_are_where_the_model_was_put() -> None:
    fresh = Net().to("meta")
    fresh.load_state_dict(fitted().to("meta").state_dict())
    assert {tensor.device.type for tensor in (*fresh.parameters(), *fresh.buffers())} == {"meta"}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Unexpected key"):
        Net().load_state_dict({**fitted().state_dict(), "third": torch.ones(1)})
    with pytest.raises(RuntimeError, match="input_scaling"):
        Net().load_state_dict({key: value for key, value in fitted().state_dict().items() if key != "input_scaling"})
    fresh = Net()
    with pytest.raises(RuntimeError, match="Missing key"):
        fresh.load_state_dict(nn.Linear(1, 1).state_dict())
    assert not fresh.fitted


class Bare(nn.Module):
    """Nothing but a model."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()


@pytest.mark.parametrize("make", [Net, Bare])
def test_a_state_dict_of_a_model_that_was_not_fitted(make: Callable[[], nn.Module]) -> None:
    """Into one that is not fitted either it changes nothing, into another it is refused in our words."""
    fresh, full = make(), make()
    (full.net if isinstance(full, Bare) else full).fit_encoder(NUMBERS)  # type: ignore[operator, union-attr]
    assert fresh.load_state_dict(make().state_dict()).missing_keys == []
    with pytest.raises(RuntimeError) as caught:
        full.load_state_dict(make().state_dict())
    assert (
        "model 'net' is fitted, but the state dict is of one that was not, which has no layers; call "
        "fit_encoder(training_data) of that one before its state_dict()" in str(caught.value)
    )
    full.load_state_dict(full.state_dict())


def test_there_are_no_parameters_for_an_optimizer_before_fitting() -> None:
    model = Net()
    with pytest.raises(NotFittedError) as caught:
        torch.optim.Adam(model.parameters())
    assert str(caught.value) == (
        "model 'net' has no parameters before it is fitted; call model.fit_encoder(training_data), or load it, and "
        "then make the optimizer or whatever else takes its parameters"
    )
    model.fit_encoder(NUMBERS)
    torch.optim.Adam(model.parameters())


class Early(Net):
    """Layers that are made in the constructor, where their widths are known."""

    def __init__(self) -> None:
        super().__init__(input_bits=6)
        self.coarse = Thermometer(1)
        self.first, self.second = LUTLayer(16, 12, 3), LUTLayer(12, 8, 2)

    def _build_layers(self) -> None:
        pass


def test_an_optimizer_of_layers_made_in_the_constructor_trains_them() -> None:
    model = Early()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
    model.fit_encoder(NUMBERS).train()
    before = model.second.nodes.table_values().clone()
    model(NUMBERS)[:, 0].sum().backward()
    optimizer.step()
    assert not torch.equal(before, model.second.nodes.table_values())


# Training further


@pytest.mark.parametrize("family", ["dwn", "dwn_stable", "probabilistic"])
def test_unfrozen_layers_compute_the_same_and_learn(family: str) -> None:
    model = frozen()
    expected = model.eval()(NUMBERS)
    assert model.unfreeze(family) is model
    assert torch.equal(model(NUMBERS), expected)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    target = torch.randint(0, 2, (len(NUMBERS),), generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(model.train()(NUMBERS), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.project()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_a_family_without_these_tables_is_refused() -> None:
    model = frozen()
    with pytest.raises(
        ConfigError, match=r"^these tables: LinearLUTNodes cannot represent \d+ of its 12 tables; choose"
    ):
        model.unfreeze("linear")


def test_pretrained_weights_are_trained_further(tmp_path: Path) -> None:
    test = mnist_test()
    few = Dataset("few", test.subset(torch.arange(300)), test.subset(torch.arange(300, 500)))
    recipe = Recipe(epochs=1, batch_size=50, validation=50, learning_rate=1e-4)
    before = get_model("mnist_bitflip_0", pretrained=True)
    result = train(
        lambda: get_model("mnist_bitflip_0", pretrained=True).unfreeze(), few, recipe, tmp_path / "out", progress=False
    )
    assert result.test_accuracy > 0.9  # from scratch 250 images give less
    after = load_model(str(tmp_path / "out"))
    assert torch.equal(after.encoder.thresholds, before.encoder.thresholds)


# Other numbers of classes


@pytest.mark.parametrize("name", ["mnist_fc_8k_dwn", "mnist_fc_8k_linear", "mnist_bitflip_5", "cifar10_conv"])
def test_zoo_models_of_other_numbers_of_classes(name: str) -> None:
    model = get_model(name, num_classes=7)
    assert model.num_classes == 7 and model.head.classes == 7 and model.widths[-1] % 7 == 0
    assert get_model(name).widths[-1] in (2000, 4000, 1000)
    with pytest.raises(ConfigError, match=f"the weights of '{name}' .* are for 10 classes, not 7; train get_model"):
        get_model(name, pretrained=True, num_classes=7)
    assert get_model(name, pretrained=True, num_classes=10).fitted


def test_their_checkpoints_are_loaded_by_name(tmp_path: Path) -> None:
    model = get_model("mnist_bitflip_0", num_classes=3)
    model.fit_encoder(mnist_test().x[:50])
    model.save_checkpoint(tmp_path / "three", frozen=True)
    loaded = load_model(str(tmp_path / "three"))
    x = mnist_test().x[:20]
    assert torch.equal(predict_scores(loaded, x)[0], predict_scores(model, x)[0])
    _, tensors = read_checkpoint(tmp_path / "three")
    with_many = json.loads(_header(tmp_path / "three"))
    with_many["arguments"]["kwargs"]["num_classes"] = 1 << 40
    save_file(tensors, tmp_path / "many", {"difflut": json.dumps(with_many)})
    with pytest.raises(CheckpointError, match="has num_classes 1099511627776; a zoo model has from 1 to 65536"):
        load_model(str(tmp_path / "many"))


def _header(path: Path) -> str:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return str(file.metadata()["difflut"])
