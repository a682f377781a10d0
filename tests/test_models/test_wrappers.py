"""Models in the wrappers of PyTorch and Lightning; samples in arrays, DataLoaders and Datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import Chain, fitted, random_codes
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from difflut.data import Split, dataset_of, samples_of, split_of, tensor_of
from difflut.door import stored_build
from difflut.errors import ConfigError, DataError, InputShapeError
from difflut.export.builds.make import make_build
from difflut.export.frontend.trace import trace
from difflut.models import BaseModel
from difflut.models.wrappers import unwrap
from difflut.sizing import estimate
from difflut.training import Recipe, accuracy, predict, predict_scores, train


class LightningModule(nn.Module):
    """Has the name of Lightning's, which is not installed for tests."""


class Training(LightningModule):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def averaged(model: BaseModel) -> nn.Module:
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))


WRAPPERS: tuple[Callable[[BaseModel], nn.Module], ...] = (
    lambda model: torch.compile(model, backend="eager"),
    nn.DataParallel,
    averaged,
    Training,
    lambda model: torch.compile(nn.DataParallel(averaged(model)), backend="eager"),
    lambda model: Training(nn.DataParallel(model)),
)


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_wrapped_model_is_taken_as_it_is(wrap: Callable[[BaseModel], nn.Module]) -> None:
    model = fitted(Chain())
    codes = random_codes(model, 30)
    wrapped: Any = wrap(model).eval()
    assert torch.equal(predict(wrapped, codes), model(codes))
    assert make_build(wrapped).info.files == make_build(model).info.files


def test_of_an_average_the_averaged_parameters_are_taken() -> None:
    model = fitted(Chain()).train()
    average = averaged(model)
    average.update_parameters(model)  # the first one copies
    with torch.no_grad():
        for layer in model.layers:
            layer.nodes.table.neg_()
    average.update_parameters(model)
    codes = random_codes(model, 50)
    assert torch.equal(predict(average, codes), predict(average.module, codes))  # type: ignore[arg-type]
    assert not torch.equal(predict(average, codes), predict(model, codes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            nn.Sequential(nn.Linear(6, 6), Chain()),
            "got a Sequential; expected a difflut.BaseModel, .*; give your_module.1",
        ),
        (Training(nn.ModuleList([Chain(), Chain()])), "got a Training; .* give your_module.net.0 or your_module.net.1"),
        (nn.Linear(1, 1), r"got a Linear; expected a difflut\.BaseModel, or one in .*of one model$"),
        ("net", "got a str; expected a difflut.BaseModel"),
    ],
)
def test_what_may_compute_something_else_is_refused(module: Any, words: str) -> None:
    for function in (unwrap, trace, make_build, estimate):
        with pytest.raises(ConfigError, match=words):
            function(module)
    if isinstance(module, nn.Module):
        with pytest.raises(ConfigError, match=words):
            stored_build(module)  # type: ignore[arg-type]


# Samples


X = torch.randint(0, 256, (40, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
Y = torch.arange(40) % 4


class Pairs(Dataset[Any]):
    """As torchvision's data sets are, of images that only NumPy understands."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], self.y[index]


class Flow(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield from zip(X, Y, strict=True)


class Table:
    """As pandas' tables are."""

    def to_numpy(self) -> Any:
        return X.numpy()


PAIRS = (
    Split(X, Y),
    (X, Y),
    (X.numpy(), Y.numpy().astype(np.uint8)),
    [Table(), Y.tolist()],
    TensorDataset(X, Y),
    Pairs(X.numpy(), Y.tolist()),
    DataLoader(TensorDataset(X, Y), batch_size=7),
    DataLoader(Pairs(X.numpy(), Y.tolist()), batch_size=16),
    Flow(),
)


@pytest.mark.parametrize("data", PAIRS)
def test_labelled_samples(data: Any) -> None:
    split = split_of(data)
    assert torch.equal(split.x, X) and torch.equal(split.y, Y) and split.y.dtype == torch.int64
    if not (isinstance(data, list) and isinstance(data[1], list)):
        assert torch.equal(samples_of(data), X)
    model = fitted(Chain())
    assert accuracy(model, data) == accuracy(model, Split(X, Y))


@pytest.mark.parametrize(
    "data",
    [X, X.numpy(), X.tolist(), Table(), DataLoader(X, batch_size=9), TensorDataset(X), X.numpy()[:, ::-1][:, ::-1]],
)
def test_samples(data: Any) -> None:
    expected = Chain().fit_encoder(X).encoder.thresholds
    assert torch.equal(Chain().fit_encoder(data).encoder.thresholds, expected)
    model = fitted(Chain())
    for mine, theirs in zip(predict_scores(model, data), predict_scores(model, X), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("dtype", ["uint16", ">i4", "float64", ">f4"])
def test_calls_take_arrays(dtype: str) -> None:
    model = fitted(Chain())
    array = X.numpy() / np.float32(255) if dtype.endswith(("f4", "64")) else X.numpy()
    array = array.astype(dtype)
    array.flags.writeable = False
    assert torch.equal(model(array), model(X))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.array([["a", "b"]]), "got a ndarray of <U1 as the samples; expected numbers: a tensor, .* Turn texts"),
        ([[1, 2], [3]], "the samples are no array"),
        ("mnist", "got a str as the samples; expected one batch"),
        ({"x": X}, "got a dict as the samples"),
        (DataLoader(Pairs(X[:0], Y[:0])), "a DataLoader without a sample"),
        (DataLoader([{"x": 1}], batch_size=None), "a DataLoader whose items are dict; expected samples or pairs"),
        (Pairs([np.zeros(2), np.zeros(3)], [0, 0]), "a Pairs of samples of different shapes"),
    ],
)
def test_other_samples_are_refused(data: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"^{words}"):
        Chain().fit_encoder(data)


def test_other_labels_are_refused() -> None:
    for data, words in (
        (X, "got a Tensor as labelled samples; expected a Split, a pair"),
        (DataLoader(X), "a DataLoader without labels"),
        ((X, Y.to(torch.complex64)), "got labels of torch.complex64; expected class indices"),
    ):
        with pytest.raises(DataError, match=f"^{words}"):
            split_of(data)
    with pytest.raises(DataError, match=r"got a DataLoader as data; expected a difflut.data.Dataset, or a pair"):
        dataset_of(DataLoader(X))


def test_a_call_takes_one_batch() -> None:
    model = fitted(Chain())
    with pytest.raises(DataError, match="got a DataLoader as the samples; expected one batch"):
        model(DataLoader(X))
    with pytest.raises(InputShapeError, match=r"got dtype torch\.bool"):
        model(X.numpy() > 3)
    with pytest.raises(DataError, match="of object"):
        tensor_of(np.array([object()]))


def test_training_takes_loaders_and_wrapped_models(tmp_path: Path) -> None:
    recipe = Recipe(epochs=1, batch_size=10, validation=10)
    loader, pairs = DataLoader(TensorDataset(X, Y), batch_size=8), (X.numpy(), Y.numpy())
    results = []
    for number, make in enumerate((Chain, lambda: Training(Chain()))):
        out = tmp_path / f"{number}.safetensors"
        results.append(train(make, (loader, pairs), recipe, out, progress=False).test_accuracy)
    assert results[0] == results[1]
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()


def test_a_build_says_what_its_scores_are() -> None:
    class Tail(Chain):
        def _forward_impl(self, x: Tensor) -> Tensor:
            return functional.log_softmax(super()._forward_impl(x), dim=1)

    readme = make_build(fitted(Tail())).files["README.md"].decode()
    assert "A score counts ones: it is what the model has before a temperature, softmax or log_softmax" in readme
