"""The training loop: seeded, resumable, with held-out samples that choose the epoch."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from difflut.data import Dataset, Split
from difflut.errors import CheckpointError, ConfigError, DataError
from difflut.files import write_atomically
from difflut.models.base_model import BaseModel
from difflut.training.evaluation import accuracy
from difflut.training.recipes import Recipe


@dataclass(frozen=True)
class TrainingResult:
    """What training gave.

    Attributes:
        best_epoch: the epoch, counted from 1, with the highest accuracy on the held-out samples.
        validation_accuracy: of that epoch.
        test_accuracy: of that epoch's model, measured once, after training.
        history: one entry an epoch: epoch, loss, validation_accuracy, seconds.
    """

    best_epoch: int
    validation_accuracy: float
    test_accuracy: float
    history: list[dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def train(
    make_model: Callable[[], BaseModel],
    data: Dataset,
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train a model and write its frozen checkpoint to `out`.

    After every epoch all state goes to `out` + ".resume"; if that file is there on entry, training goes on from it
    and gives the same result as an unbroken run. The test samples are used once, at the end.

    Args:
        make_model: gives a fresh, unfitted model; called after seeding.
        data: the data set; the recipe's `validation` training samples are held out.
        recipe: how to train.
        out: where the checkpoint goes.
        device: where to train; the CPU by default.
        progress: whether to show a progress bar.
    """
    device = device or torch.device("cpu")
    if len(data.train) < recipe.validation + recipe.batch_size:
        raise DataError(
            f"{data.name} has {len(data.train)} training samples; the recipe holds out {recipe.validation} and needs at "
            f"least one batch of {recipe.batch_size} more"
        )
    torch.manual_seed(recipe.seed)
    order = torch.randperm(len(data.train), generator=_generator(recipe.seed, -1))
    held_out = data.train.subset(order[: recipe.validation]).to(device)
    fitting = data.train.subset(order[recipe.validation :])
    model = make_model()
    model.fit_encoder(fitting.x)
    model.to(device).train()
    if not any(p.requires_grad for p in model.parameters()):
        raise ConfigError(f"model {model.name!r} has no trainable parameters; train a fresh one, not a frozen one")
    run = _Run(model, recipe, data.name, out)
    run.resume()
    run.fit(fitting.to(device), held_out, progress)
    return run.finish(data)


class _Run:
    def __init__(self, model: BaseModel, recipe: Recipe, data_name: str, out: Path) -> None:
        self.model, self.recipe, self.data_name, self.out = model, recipe, data_name, out
        self.resume_path = out.with_name(out.name + ".resume")
        self.optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
        self.history: list[dict[str, float]] = []
        self.best: tuple[int, float, bytes] = (0, -1.0, b"")

    def resume(self) -> None:
        """Go on from the resume file, if there is one."""
        if not self.resume_path.exists():
            return
        try:
            state = torch.load(self.resume_path, map_location="cpu", weights_only=True)
            if (state["recipe"], state["model"], state["data"]) != self._identity():
                raise CheckpointError(
                    f"{self.resume_path}: belongs to model {state['model']!r} on {state['data']} with the recipe "
                    f"{state['recipe']}; delete it or choose another --out"
                )
            self.model.load_state_dict(state["parameters"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.history = state["history"]
            self.best = (state["best_epoch"], state["best_accuracy"], state["best_checkpoint"].numpy().tobytes())
        except CheckpointError:
            raise
        except Exception as error:  # what torch.load raises on a damaged file is not specified
            raise CheckpointError(
                f"{self.resume_path}: cannot resume from it ({error}); delete it to start afresh"
            ) from error

    def _identity(self) -> tuple[dict[str, Any], str, str]:
        return asdict(self.recipe), self.model.name, self.data_name

    def save(self) -> None:
        """Write everything that resuming needs."""
        epoch, best_accuracy, checkpoint = self.best
        buffer = io.BytesIO()
        torch.save(
            {
                **dict(zip(("recipe", "model", "data"), self._identity(), strict=True)),
                "parameters": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "history": self.history,
                "best_epoch": epoch,
                "best_accuracy": best_accuracy,
                "best_checkpoint": torch.frombuffer(bytearray(checkpoint), dtype=torch.uint8),
            },
            buffer,
        )
        write_atomically(self.resume_path, buffer.getvalue())

    def fit(self, fitting: Split, held_out: Split, progress: bool) -> None:
        """Train the epochs that are left."""
        recipe = self.recipe
        steps = len(fitting) // recipe.batch_size
        with tqdm(
            total=recipe.epochs * steps,
            initial=len(self.history) * steps,
            desc=self.model.name,
            unit="step",
            disable=None if progress else True,
        ) as bar:
            for epoch in range(len(self.history), recipe.epochs):
                started = time.perf_counter()
                loss = self._epoch(fitting, epoch, steps, bar)
                reached = accuracy(self.model, held_out)
                self.history.append(
                    {
                        "epoch": epoch + 1,
                        "loss": loss,
                        "validation_accuracy": reached,
                        "seconds": time.perf_counter() - started,
                    }
                )
                if reached > self.best[1]:
                    self.best = (epoch + 1, reached, self.model.checkpoint_bytes(frozen=True))
                self.save()
                bar.set_postfix(loss=f"{loss:.4f}", held_out=f"{100 * reached:.2f}%", best=f"{100 * self.best[1]:.2f}%")

    def _epoch(self, fitting: Split, epoch: int, steps: int, bar: tqdm[Any]) -> float:
        recipe, model = self.recipe, self.model
        generator = _generator(recipe.seed, epoch)
        torch.manual_seed(generator.initial_seed())  # for models that draw numbers themselves, such as with dropout
        order = torch.randperm(len(fitting), generator=generator)
        total = torch.zeros((), device=fitting.x.device)
        for step in range(steps):
            index = order[step * recipe.batch_size : (step + 1) * recipe.batch_size].to(fitting.x.device)
            x = random_shift(fitting.x[index], recipe.max_shift, generator)
            rate = recipe.learning_rate * schedule((epoch + step / steps) / recipe.epochs, recipe)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss = nn.functional.cross_entropy(model(x), fitting.y[index]) + model.get_regularization_loss().to(
                x.device
            )
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            model.project()
            total += loss.detach()
            bar.update()
        return float(total) / steps

    def finish(self, data: Dataset) -> TrainingResult:
        """Measure the chosen epoch's model on the test samples and write its checkpoint."""
        epoch, validation_accuracy, checkpoint = self.best
        write_atomically(self.out, checkpoint)
        model = self.model.load_checkpoint(self.out)
        test_accuracy = accuracy(model, data.test)
        model.info = {
            "data": self.data_name,
            "recipe": asdict(self.recipe),
            "best_epoch": epoch,
            "validation_accuracy": validation_accuracy,
            "test_accuracy": test_accuracy,
            "test_samples": len(data.test),
        }
        model.save_checkpoint(self.out, frozen=True)
        if self.resume_path.exists():
            os.unlink(self.resume_path)
        return TrainingResult(epoch, validation_accuracy, test_accuracy, self.history)


def schedule(fraction: float, recipe: Recipe) -> float:
    """The learning rate at a fraction (0 to 1) of training, relative to its peak."""
    warmup = recipe.warmup_epochs / recipe.epochs
    if fraction < warmup:
        return max(fraction / warmup, 1e-3)
    cosine = 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))
    return recipe.final_fraction + (1 - recipe.final_fraction) * cosine


def random_shift(images: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Shift each image (N, H, W) by up to `limit` pixels each way; what comes in at the border is 0."""
    if limit == 0:
        return images
    count, height, width = images.shape
    offsets = torch.randint(0, 2 * limit + 1, (2, count, 1), generator=generator).to(images.device)
    rows = offsets[0] + torch.arange(height, device=images.device)
    columns = offsets[1] + torch.arange(width, device=images.device)
    padded = nn.functional.pad(images, (limit, limit, limit, limit))
    sample = torch.arange(count, device=images.device)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]]


def _generator(seed: int, epoch: int) -> torch.Generator:
    """A generator that depends on nothing but the seed and the epoch, so that resuming needs no generator state."""
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch + 1) & 0x7FFF_FFFF)
