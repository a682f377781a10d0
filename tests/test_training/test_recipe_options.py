"""Weight decay, flips of input bits, reflected borders and averages of parameters; all of them resume."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import RECIPE, Tiny, run, tiny_data
from torch import Tensor

from difflut.errors import ConfigError
from difflut.models import BaseModel
from difflut.training import Recipe, accuracy, train_untested
from difflut.training.augmentation import augment, flip_input_bits, random_shift

FULL = RECIPE.with_(weight_decay=0.1, input_flips=0.05, average=0.9, border="reflect", flip=True, final_fraction=0.0)


class Stop(Exception):
    pass


def state_after(out: Path, recipe: Recipe, epochs: int, make: type[BaseModel] = Tiny) -> dict[str, Any]:
    """The resume file of a training that ends after some epochs."""

    def stop(history: list[dict[str, float]]) -> None:
        if len(history) == epochs:
            raise Stop

    with pytest.raises(Stop):
        train_untested(make, tiny_data(), recipe, out, progress=False, after_epoch=stop)
    return torch.load(out.with_name(out.name + ".resume"), weights_only=True)


def test_resuming_gives_the_same_bytes(tmp_path: Path) -> None:
    run(tmp_path / "whole", FULL)
    state_after(tmp_path / "broken", FULL, 2)
    run(tmp_path / "broken", FULL)
    assert (tmp_path / "broken").read_bytes() == (tmp_path / "whole").read_bytes()


def test_resuming_when_connections_stay_after_an_epoch(tmp_path: Path) -> None:
    recipe = FULL.with_(connection_epochs=2)
    run(tmp_path / "whole", recipe)
    state_after(tmp_path / "broken", recipe, 3)
    run(tmp_path / "broken", recipe)
    assert (tmp_path / "broken").read_bytes() == (tmp_path / "whole").read_bytes()


class Decayed(Tiny):
    """PyTorch's own AdamW."""

    def make_optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=learning_rate, weight_decay=0.5)


def test_weight_decay_is_that_of_adamw(tmp_path: Path) -> None:
    recipe = RECIPE.with_(batch_size=80, warmup_epochs=0.0)  # two steps
    ours = state_after(tmp_path / "ours", recipe.with_(weight_decay=0.5), 1)["parameters"]
    theirs = state_after(tmp_path / "theirs", recipe, 1, Decayed)["parameters"]
    plain = state_after(tmp_path / "plain", recipe, 1)["parameters"]
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    assert any(not torch.allclose(ours[name].float(), plain[name].float(), atol=1e-3) for name in ours)


def test_averages_are_what_is_measured_and_written(tmp_path: Path) -> None:
    """With a decay near 1 the model stays what it was at the start, while the parameters are trained as ever."""
    kept = state_after(tmp_path / "a", RECIPE.with_(average=1 - 1e-9), 2)
    plain = state_after(tmp_path / "b", RECIPE, 2)
    for name, value in plain["parameters"].items():
        torch.testing.assert_close(kept["parameters"][name], value)
    assert plain["averages"] == {} and set(kept["averages"]) < set(kept["parameters"])
    first, second = (row["validation_accuracy"] for row in kept["history"])
    assert first == second and kept["best_epoch"] == 1
    assert plain["history"][1]["validation_accuracy"] != first


def test_averages_follow_the_parameters(tmp_path: Path) -> None:
    recipe = RECIPE.with_(batch_size=160, warmup_epochs=0.0, average=0.75)  # one step an epoch
    before = state_after(tmp_path / "a", recipe, 1)
    after = state_after(tmp_path / "b", recipe, 2)
    for name, value in after["averages"].items():
        expected = 0.75 * before["averages"][name] + 0.25 * after["parameters"][name]
        torch.testing.assert_close(value, expected)


def test_sweeps_start_from_the_averages(tmp_path: Path) -> None:
    recipe = RECIPE.with_(average=0.5, sweeps=1, epochs=2)
    result = run(tmp_path / "swept", recipe)
    assert len(result.history) == 3
    assert result.test_accuracy == accuracy(Tiny().load_checkpoint(tmp_path / "swept"), tiny_data().test)


def test_a_resume_file_with_averages_of_other_parameters(tmp_path: Path) -> None:
    state = state_after(tmp_path / "net", FULL, 2)
    state["averages"] = {name: value[:1] for name, value in state["averages"].items()}
    torch.save(state, tmp_path / "net.resume")
    with pytest.raises(Exception, match="the averages are those of other parameters"):
        run(tmp_path / "net", FULL)


def test_input_bits_flip_while_the_stack_is_open() -> None:
    model = Tiny()
    x = tiny_data().train.x[:100]
    model.fit_encoder(x)
    numbers = model.input_format.values(x).flatten(1)
    right = model.encoder(numbers)
    torch.manual_seed(0)
    with flip_input_bits(model, 0.1):
        flipped = model.encoder(numbers)
        assert not torch.equal(flipped, model.encoder(numbers))  # each time anew
    share = float((flipped ^ right).float().mean())
    assert flipped.dtype == torch.bool and 0.08 < share < 0.12
    assert torch.equal(model.encoder(numbers), right)
    state = torch.get_rng_state()
    with flip_input_bits(model, 0.0):
        assert torch.equal(model.encoder(numbers), right)
    assert torch.equal(torch.get_rng_state(), state)


def test_reflected_borders() -> None:
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
    seen = set()
    for seed in range(300):
        shifted = random_shift(images, 2, torch.Generator().manual_seed(seed), "reflect")[0]
        rows, columns = shifted[:, 0] // 4, shifted[0] % 4
        assert torch.equal(shifted, rows[:, None] * 4 + columns)
        seen.add((*rows.tolist(), *columns.tolist()))
    # NumPy's reflection of the places, by up to two pixels each way.
    wide, high = ([*range(2, 0, -1), *range(n), *range(n - 2, n - 4, -1)] for n in (4, 3))
    assert seen == {(*high[y : y + 3], *wide[x : x + 4]) for y in range(5) for x in range(5)}
    colours = torch.stack([images, images + 100], dim=1)
    both = random_shift(colours, 2, torch.Generator().manual_seed(1), "reflect")
    assert torch.equal(both[:, 0] + 100, both[:, 1])


def test_zeros_stay_what_they_were() -> None:
    images = tiny_data().train.x[:20]
    draws = [torch.Generator().manual_seed(5) for _ in range(2)]
    assert torch.equal(augment(images, RECIPE, draws[0]), random_shift(images, 1, draws[1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"border": "wrap"}, "recipe: border is 'wrap'; it must be zeros or reflect"),
        ({"input_flips": 0.6}, "recipe: input_flips is 0.6; it must be from 0 to 0.5"),
        ({"weight_decay": -1.0}, "recipe: weight_decay is -1.0; it must be from 0 to 1"),
        ({"average": 1.0}, "recipe: average is 1.0; it must be from 0 to less than 1"),
        ({"average": float("nan")}, "recipe: average is nan; it must be from 0 to less than 1"),
    ],
)
def test_recipes_out_of_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RECIPE.with_(**change)
    assert str(caught.value) == message


def test_the_model_is_not_changed_by_measuring(tmp_path: Path) -> None:
    """Parameters go on where the last step left them."""
    seen: list[Tensor] = []

    class Watched(Tiny):
        def _forward_impl(self, x: Tensor) -> Tensor:
            if self.training:
                seen.append(copy.deepcopy(self.second.nodes.state_dict()))
            return super()._forward_impl(x)

    run(tmp_path / "a", RECIPE.with_(average=0.9), Watched)
    averaged, seen = seen, []
    run(tmp_path / "b", RECIPE, Watched)
    for one, other in zip(averaged, seen, strict=True):
        for name in one:
            assert torch.equal(one[name], other[name])
