"""The scripts that train the zoo, write its table and measure the training aids' effects."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import model_zoo
import pytest
import torch
import train_zoo
from documents import block, replaced
from effect_bitflip import flipped, flipped_accuracies
from effect_gradients import gradient_norms
from small_models import Chain, random_codes

from difflut.data import Dataset, Split, mnist_test
from difflut.models import MNISTComparison, ZooEntry, get_model
from difflut.training import Recipe, accuracy, predict

# Bit flips at test time


def test_no_flips_change_nothing_and_half_of_all_destroy_everything() -> None:
    model = get_model("mnist_bitflip_5", pretrained=True)
    images = mnist_test().subset(torch.arange(2000))
    accuracies = flipped_accuracies(model, images, (0.0, 0.1, 0.5), draws=2)
    assert accuracies[0].tolist() == [accuracy(model, images)] * 2
    assert (accuracies[1] < accuracies[0]).all() and (accuracies[1] > 0.9).all()
    assert (accuracies[2] < 0.15).all()
    assert accuracies[1, 0] != accuracies[1, 1]
    assert accuracy(model, images) == accuracies[0, 0]  # the hooks are gone


def test_every_output_bit_of_every_layer_flips() -> None:
    torch.manual_seed(0)
    model = Chain(layers=((12, 3), (8, 2)))
    codes = random_codes(model, 30)
    model.fit_encoder(codes).eval()
    seen = []
    layers = [layer for _, layer in model.lut_layers()]
    with flipped(model, 1.0, torch.Generator()):
        handles = [
            layer.register_forward_hook(lambda layer, inputs, output: seen.append((layer, inputs[0], output)))
            for layer in layers
        ]
        all_flipped = predict(model, codes)
    for handle in handles:
        handle.remove()
    assert [layer for layer, _, _ in seen] == layers
    for layer, bits, output in seen:
        assert torch.equal(output, ~layer(bits))
    counts = seen[-1][2].reshape(30, 4, 2).sum(2)
    assert torch.equal(all_flipped, counts.float())


# Gradient norms


@pytest.mark.parametrize("kind", ["layerwise", "batchwise", "layerwise_mean", "none"])
def test_gradient_norms(kind: str) -> None:
    torch.manual_seed(0)
    model = MNISTComparison("deep", (200, 200, 200, 200), gradient=kind)
    images = mnist_test().subset(torch.arange(100))
    model.fit_encoder(images.x)
    outputs, tables = gradient_norms(model, images.x, images.y)
    assert len(outputs) == len(tables) == 4
    if kind == "none":
        assert outputs == sorted(outputs)
        assert outputs[0] < 0.1 * outputs[-1] and tables[0] < 0.1 * tables[-1]
    else:
        assert outputs == pytest.approx([1.0] * 4, abs=1e-4)
        assert tables[0] > 0.5 * tables[-1]
    assert (outputs, tables) == gradient_norms(model, images.x, images.y)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(not layer.nodes._forward_hooks for _, layer in model.lut_layers())


# The table of the zoo


def test_the_table_is_up_to_date() -> None:
    assert model_zoo.stale() == []


def test_what_makes_the_table_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "| " + " | ".join((*model_zoo.CHECKED, *model_zoo.EXPORTED)) + " |\n| --- |\n"
    good = f"{header}| `a` | 98.00 % | 98.00 %, 1 seed | 10 | 20 | - | MNIST | 12 | 300 |"
    monkeypatch.setattr(
        model_zoo, "rows", lambda with_export: [("`a`", "98.00 %", "98.00 %, 1 seed", "10", "20", "-", "MNIST")]
    )
    document = tmp_path / "zoo.md"

    def faults(table: str) -> list[str]:
        document.write_text(f"# Zoo\n\n<!-- begin zoo -->\n\n{table}\n\n<!-- end zoo -->\n")
        return model_zoo.stale(document)

    assert faults(good) == []
    assert faults(good.replace("| 12 | 300 |", "| 14 | 310 |")) == []  # another exporter
    assert len(faults(good.replace("| 12 | 300 |", "| 12 | |"))) == 1
    assert len(faults(good.replace("| 98.00 % |", "| 98.01 % |"))) == 1
    assert len(faults(good.replace("`a`", "`b`"))) == 1
    assert len(faults(header)) == 1
    assert len(faults(good + "\n| `b` | 1 | 1 | 1 | 1 | 1 | MNIST | 12 | 300 |")) == 1
    assert len(faults(good.replace("parameters", "weights"))) == 1


def test_one_seed_has_no_spread() -> None:
    assert model_zoo.over_seeds([0.98]) == "98.00 %, 1 seed"
    assert model_zoo.over_seeds([0.98, 0.96, 0.97]) == "97.00 ± 1.00 %, 3 seeds"


def test_marked_blocks() -> None:
    text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n"
    new = replaced(text, "x", "new")
    assert new == "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n"
    assert block(new, "x") == "new"
    for bad in ("no marks", text + text, "<!-- end x --><!-- begin x -->"):
        with pytest.raises(SystemExit, match="expected one line '<!-- begin x -->'"):
            replaced(bad, "x", "new")


# Training


def test_results_keep_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert train_zoo.read_results(path) == {}
    for seed, name in ((10, "b"), (2, "b"), (0, "a")):
        train_zoo.add_result(name, seed, {"test_accuracy": seed / 100}, path)
    train_zoo.add_result("b", 2, {"test_accuracy": 0.5}, path)
    results = train_zoo.read_results(path)
    assert results == {
        "a": {"0": {"test_accuracy": 0.0}},
        "b": {"2": {"test_accuracy": 0.5}, "10": {"test_accuracy": 0.1}},
    }
    assert list(results["b"]) == ["2", "10"]
    assert len(path.read_text().splitlines()) == 9


def test_what_counts_as_done() -> None:
    results = {"a": {"1": {"recipe": asdict(Recipe(epochs=3, seed=1))}}}
    assert train_zoo.is_done("a", Recipe(epochs=3, seed=1), results)
    assert not train_zoo.is_done("a", Recipe(epochs=3, seed=2), results)
    assert not train_zoo.is_done("a", Recipe(epochs=4, seed=1), results)
    assert not train_zoo.is_done("b", Recipe(epochs=3, seed=1), results)


def test_a_record_is_of_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_zoo, "zoo", lambda: {"chain": ZooEntry(Chain, "noise", "")})
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (60, 6), generator=generator, dtype=torch.uint8)
    y = (x.int().sum(1) // 400).clamp(max=3).long()
    data = Dataset("noise", Split(x[:50], y[:50]), Split(x[50:], y[50:]))
    recipe = Recipe(epochs=3, batch_size=10, validation=20, seed=5)
    path = tmp_path / "chain.5.safetensors"
    record = train_zoo.run("chain", recipe, data, path)
    info = Chain().load_checkpoint(path).info
    assert {key: record[key] for key in info} == info
    assert record["cpu_seconds"] >= 0
    assert set(record["versions"]) == {"difflut", "torch", "numpy", "python"}
