"""Labels against thresholds, numbers, several heads: from logits to the class word of the RTL."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from several_heads import BITS, Detector, ImageHeads, Regressor, SeveralHeads, fitted, make_head
from tools import require_prover, require_tool

import difflut
from difflut.cli import cli
from difflut.data import Dataset, Split
from difflut.errors import ConfigError, DataError
from difflut.export.builds import store
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import TraceError
from difflut.export.frontend.trace import trace
from difflut.heads import GroupSum, NumberSum, ThresholdSum
from difflut.models import BaseModel
from difflut.training import Recipe, accuracy, choose_thresholds, predict, predict_scores, train


def run(*arguments: str) -> str:
    """What a command says; it must succeed."""
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


KINDS = st.lists(
    st.one_of(
        st.tuples(st.just("classes"), st.sampled_from([1, 2, 3, 6])),
        st.tuples(st.sampled_from(["labels", "numbers"]), st.sampled_from([1, 2, 4])),
    ),
    min_size=1,
    max_size=4,
)


def codes_of(model: BaseModel, count: int = 150) -> torch.Tensor:
    return torch.randint(0, 256, (count, model.input_size), dtype=torch.uint8, generator=torch.manual_seed(3))


@settings(max_examples=40, deadline=None)
@given(heads=KINDS, seed=st.integers(0, 99), data=st.data())
def test_circuit_and_model_agree(heads: list[tuple[str, int]], seed: int, data: st.DataObject) -> None:
    """Scores, class words and what they mean, whatever the thresholds."""
    model = fitted(SeveralHeads(heads), seed)
    for head in model.parts:
        if isinstance(head, ThresholdSum):
            size = BITS // head.results
            head.thresholds[:] = torch.tensor([data.draw(st.integers(0, size + 3)) for _ in range(head.results)])
    codes = codes_of(model)
    netlist = trace(model)
    outputs = simulate(netlist, codes.numpy())
    scores, words = predict_scores(model, codes)
    assert np.array_equal(outputs.scores, scores.numpy())
    assert np.array_equal(outputs.classes, words.numpy())
    # What the class word says, read as its docstring says it.
    decided = model.output_heads.decided(predict(model, codes))
    width, place, column, score = netlist.head.class_width_bits, 0, 0, 0
    for kind, count in heads:
        for _ in range(1 if kind == "classes" else count):
            if kind == "numbers":
                assert torch.equal(decided[:, column].float(), 4 - 0.25 * scores[:, score].float())
            elif (kind, count) != ("classes", 1):
                field = words >> place & (1 << width) - 1
                assert torch.equal(field, decided[:, column].long())
                place += width
            column += 1
            score += {"classes": count, "labels": 2, "numbers": 1}[kind]
    assert column == model.output_heads.targets and score == scores.shape[1]


@pytest.mark.parametrize(("kind", "results"), [("classes", 3), ("labels", 2), ("numbers", 4)])
def test_train_and_eval_agree(kind: str, results: int) -> None:
    bits = torch.rand(9, 12, generator=torch.Generator().manual_seed(0)) < 0.5
    head = make_head(kind, results)
    trained, evaluated = head.train()(bits.float()), head.eval()(bits)
    assert trained.dtype == evaluated.dtype == torch.float32
    assert torch.equal(trained, evaluated) and evaluated.shape == (9, results)


@pytest.mark.parametrize("threshold", [1, 5, 12, 13, 99])
def test_a_label_holds_from_its_threshold_on(threshold: int) -> None:
    head = ThresholdSum(1, tau=7.0).eval()
    head.thresholds[0] = threshold
    counts = torch.arange(13)
    bits = torch.arange(12)[None] < counts[:, None]
    assert torch.equal(head.decided(head(bits))[:, 0] == 1, counts >= threshold)


def test_a_threshold_that_was_not_chosen_is_more_than_half() -> None:
    head = ThresholdSum().eval()
    counts = torch.arange(13)
    assert torch.equal(head.decided(head(torch.arange(12)[None] < counts[:, None]))[:, 0] == 1, counts > 6)


class Swapped(SeveralHeads):
    def _forward_impl(self, x: torch.Tensor) -> object:
        first, *others = super()._forward_impl(x)
        return (*others, first)


class Dropped(SeveralHeads):
    def _forward_impl(self, x: torch.Tensor) -> object:
        return super()._forward_impl(x)[:-1]


class Twice(SeveralHeads):
    def _forward_impl(self, x: torch.Tensor) -> object:
        bits = self.layer(self.encoder(x))[:, :BITS]
        return self.parts[0](bits), self.parts[0](bits)


class Doubled(Regressor):
    def _forward_impl(self, x: torch.Tensor) -> object:
        return super()._forward_impl(x) * 2


class Turned(Detector):
    def _forward_impl(self, x: torch.Tensor) -> object:
        return super()._forward_impl(x) * -1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Swapped((("classes", 3), ("labels", 2))), r"returns those called as number 2, 1; expected all"),
        (lambda: Dropped((("classes", 3), ("labels", 2))), r"calls 2 heads and returns those called as number 1"),
        (
            lambda: Twice((("classes", 3),)),
            r"its heads are parts.0, in the order of their definition.*returns \[3, 3\]",
        ),
        (Doubled, r"mul.Tensor on scores has no circuit: behind the group sum"),
        (Turned, r"mul.Tensor on scores has no circuit: behind the group sum"),
    ],
)
def test_what_would_change_the_meaning_is_refused(model: object, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        trace(fitted(model()))  # type: ignore[operator]


def test_a_positive_factor_changes_no_label() -> None:
    class Scaled(Detector):
        def _forward_impl(self, x: torch.Tensor) -> object:
            return super()._forward_impl(x) * 3

    assert trace(fitted(Scaled())) == trace(fitted(Detector()))


# --- Targets, quality, thresholds -----------------------------------------------------------------------------------


def test_quality_of_decisions_and_of_numbers() -> None:
    model = fitted(SeveralHeads())
    codes = codes_of(model)
    decided = model.output_heads.decided(predict(model, codes))
    assert accuracy(model, Split(codes, decided)) == 1.0
    wrong = decided.clone()
    wrong[:30, 1] = 1 - wrong[:30, 1]
    wrong[20:40, 0] = (wrong[20:40, 0] + 1) % 3
    wrong[:, 3] += 5  # a number, which no accuracy counts
    assert accuracy(model, Split(codes, wrong)) == 110 / 150
    regressor = fitted(Regressor())
    numbers = predict(regressor, codes)
    assert accuracy(regressor, Split(codes, numbers)) == 1.0
    mean = numbers.double().mean(dim=0).expand_as(numbers)
    shifted = numbers + (numbers - mean).float()  # twice as far from the mean: a quarter of the spread is left over
    assert accuracy(regressor, Split(codes, shifted)) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.zeros(4), r"targets have the shape \(4,\); expected \(samples, 4\).*parts.0 1 \(classes\), parts.1 2"),
        (torch.tensor([[3.0, 0, 1, 0]]), r"parts.0: class indices from 3 to 3; expected 0 to 2"),
        (torch.tensor([[1.5, 0, 1, 0]]), r"parts.0: class indices from 1.5 to 1.5; expected 0 to 2"),
        (torch.tensor([[1.0, 2, 1, 0]]), r"parts.1: labels from 1 to 2; expected 0 or 1"),
        (torch.tensor([[1.0, 0, 1, torch.inf]]), r"parts.2: numbers that are not finite"),
    ],
)
def test_targets_that_do_not_fit(y: torch.Tensor, message: str) -> None:
    model = fitted(SeveralHeads())
    with pytest.raises(DataError, match=message):
        accuracy(model, Split(torch.zeros(len(y), 6), y))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_chosen_threshold_is_the_best(data: st.DataObject) -> None:
    from difflut.training.thresholds import RULES, _best

    size = data.draw(st.integers(1, 30))
    counts = torch.tensor(data.draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)))
    holds = torch.tensor(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    for rule, value in RULES.items():
        chosen = _best(counts, holds, value, None)
        values = {}
        for threshold in range(1, 11):
            alarm = counts >= threshold
            hits, alarms = int((alarm & holds).sum()), int((alarm & ~holds).sum())
            good, bad = int(holds.sum()), int((~holds).sum())
            values[threshold] = {
                "balanced": hits / max(good, 1) - alarms / max(bad, 1),
                "accuracy": (hits + bad - alarms) / size,
                "f1": 2 * hits / max(1, hits + alarms + good),
            }[rule]
        assert values[chosen] == pytest.approx(max(values.values()))
    for fraction in (0.0, 0.3, 1.0):
        chosen = _best(counts, holds, RULES["balanced"], fraction)
        allowed = fraction * int((~holds).sum())
        assert int(((counts >= chosen) & ~holds).sum()) <= allowed
        assert chosen == 1 or int(((counts >= chosen - 1) & ~holds).sum()) > allowed


def test_thresholds_are_chosen_label_by_label() -> None:
    model = fitted(SeveralHeads((("classes", 2), ("labels", 2))))
    codes = codes_of(model)
    scores, _ = predict_scores(model, codes)
    holds = torch.stack([scores[:, 3] >= 5, scores[:, 5] >= 8], dim=1).long()
    choose_thresholds(model, Split(codes, torch.cat([torch.zeros(150, 1).long(), holds], dim=1)))
    assert torch.equal(model.output_heads.decided(predict(model, codes))[:, 1:].long(), holds)
    with pytest.raises(ConfigError, match="unknown rule 'best' for thresholds; expected balanced, accuracy, f1"):
        choose_thresholds(model, Split(codes, holds), "best")
    with pytest.raises(ConfigError, match=r"false_positives is 2; expected a fraction from 0 to 1"):
        choose_thresholds(model, Split(codes, holds), false_positives=2)


def test_wrong_arguments() -> None:
    for make, message in (
        (lambda: ThresholdSum(0), "ThresholdSum: labels is 0; it must be at least 1"),
        (lambda: ThresholdSum(1, 0), "ThresholdSum: tau is 0; it must be positive"),
        (lambda: NumberSum(1, 0), "NumberSum: scale is 0, offset is 0.0; they must be finite, and the scale not 0"),
        (lambda: NumberSum(1, 1, float("nan")), "NumberSum: scale is 1, offset is nan; they must be finite"),
        (lambda: GroupSum(2)(torch.zeros(2, 3, 3)), r"GroupSum: got bits of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_training_chooses_epoch_and_thresholds_on_held_out_samples(tmp_path: Path) -> None:
    """Each kind is learned: far better than a guess, measured on samples that were not trained on."""
    generator = torch.manual_seed(1)
    x = torch.randint(0, 256, (900, 6), dtype=torch.uint8, generator=generator)
    numbers = x.float() / 255
    classes = (numbers[:, 0] > 0.25).long() + (numbers[:, 0] > 0.75)  # where the encoder has its thresholds
    labels = torch.stack([numbers[:, 1] > 0.5, numbers[:, 2] > 0.25], dim=1)
    size = 1 + 2 * numbers[:, 3:4]
    tried = {
        SeveralHeads: (torch.cat([classes[:, None], labels, size], dim=1), 0.7),
        Detector: (labels[:, 0].long(), 0.9),
        Regressor: (torch.cat([size, 4 - size], dim=1), 0.7),
    }
    for make, (y, least) in tried.items():
        data = Dataset("drawn", Split(x[:700], y[:700]), Split(x[700:], y[700:]))
        out = tmp_path / f"{make.__name__}.safetensors"
        recipe = Recipe(epochs=8, batch_size=20, validation=100, learning_rate=0.03)
        result = train(make, data, recipe, out, progress=False)
        assert result.test_accuracy > least, make
        loaded = make().load_checkpoint(out)
        assert accuracy(loaded, data.test) == result.test_accuracy
        for head in loaded.output_heads.by_name.values():
            assert not isinstance(head, ThresholdSum) or int(head.thresholds.min()) > 0
        wrong = torch.full_like(y[700:], torch.nan) if make is Regressor else y[700:] + 2
        with pytest.raises(DataError, match=r"drawn does not fit|drawn has"):
            train(make, Dataset("drawn", data.train, Split(x[700:], wrong)), recipe, out, progress=False)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).integers(0, 256, (300, 6)).astype(np.uint8)
    y = np.stack([3 + x[:, 0] / 100, 2 - x[:, 1] / 200], axis=1)
    np.savez(tmp_path / "size.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    monkeypatch.chdir(tmp_path)
    source = f"{Path(__file__).parent / 'support' / 'several_heads.py'}:Regressor"
    options = ["--data", "size.npz", "--epochs", "2", "--batch-size", "20", "--validation", "50"]
    said = run("train", source, *options, "--out", "net.safetensors")
    assert re.search(r"R2 -?\d\.\d{4} on 50 held-out size samples, R2 -?\d\.\d{4} on the 100 test samples", said)
    said = run("evaluate", "net.safetensors", "--model", source, "--data", "size.npz")
    assert re.match(r"several: R2 -?\d\.\d{4} on 100 size test samples", said)
    assert "R2" in json.loads(run("evaluate", "net.safetensors", "--model", source, "--data", "size.npz", "--json"))
    run("export", "net.safetensors", "--model", source, "--out", "b")
    assert json.loads((tmp_path / "b" / "build.json").read_text())["outputs"] == "scores"
    said = run("verify", "b", "--data", "size.npz", "--simulator", "none", "--model", source)
    assert "agrees bit for bit" in said
    assert "several" in run("report", "b", "--out", "page.html") or (tmp_path / "page.html").exists()


# --- Builds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interface", ["plain", "axi-stream"])
@pytest.mark.parametrize("make", [SeveralHeads, Detector, Regressor])
def test_builds_are_verified_and_proved(make: type[BaseModel], interface: str, tmp_path: Path) -> None:
    require_prover()
    require_tool("iverilog")
    model = fitted(make())
    model.info = {"data": "drawn"}
    difflut.export_model(model, tmp_path / "b", interface=interface)
    codes = codes_of(model, 30)
    split = Split(codes, model.output_heads.decided(predict(model, codes)))
    report = difflut.verify(tmp_path / "b", data=split, model=f"several_heads:{make.__name__}", simulator="icarus")
    assert report.ok and [step.mismatches for step in report.steps] == [0, 0]
    assert [step.accuracy for step in report.steps] == [None if make is Regressor else 1.0] * 2
    assert difflut.prove(tmp_path / "b").ok
    heads = store.read(tmp_path / "b").info.output.heads
    assert [(head.name, head.kind, head.results) for head in heads] == [
        (name, head.kind, head.results) for name, head in model.output_heads.by_name.items()
    ]
    assert [(head.scale, head.offset) for head in heads if head.kind == "numbers"] == [(-0.25, 4.0)] * (
        make is not Detector
    )
    readme = (tmp_path / "b" / "README.md").read_text()
    assert all(head.meaning in readme for head in heads)


@pytest.mark.parametrize("conv", ["unrolled", "streaming", "folded=40"])
def test_every_form(conv: str, tmp_path: Path) -> None:
    require_prover()
    require_tool("iverilog")
    model = fitted(ImageHeads())
    model.labels.thresholds[:] = torch.tensor([3, 8])
    difflut.export_model(model, tmp_path / "b", form=conv)
    report = difflut.verify(tmp_path / "b", model="several_heads:ImageHeads", simulator="icarus")
    assert report.ok
    assert difflut.prove(tmp_path / "b").ok
