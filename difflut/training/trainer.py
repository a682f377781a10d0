"""The training loop: seeded, resumable, in one or several processes, with held-out samples that choose the epoch."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from difflut.data import Dataset, Split, dataset_of
from difflut.encoders.fitting import EncoderReport
from difflut.errors import CheckpointError, ConfigError, DataError
from difflut.files import scratch, write_atomically
from difflut.models.base_model import BaseModel
from difflut.models.fitting import report_on
from difflut.models.wrappers import unwrap
from difflut.progress import LOGGER, Task, task
from difflut.shown import Brief, quality
from difflut.training.allocator import keep_freed_memory
from difflut.training.augmentation import augment, flip_input_bits
from difflut.training.bit_matrix import BitMatrix
from difflut.training.choices import ChoiceUpdates
from difflut.training.end import End
from difflut.training.evaluation import accuracy, accuracy_unrounded, check_labels, count_correct, measure
from difflut.training.place import claimed
from difflut.training.processes import Processes
from difflut.training.recipes import Recipe
from difflut.training.thresholds import choose_thresholds

_TRIED = 100  # samples that show how a model ends
_SWEPT = 1024  # samples at a time whose bits a sweep reads

AfterEpoch = Callable[[list[dict[str, float]]], None]


@dataclass(frozen=True, repr=False)
class TrainingResult(Brief):
    """What training gave.

    Attributes:
        best_epoch: the epoch, counted from 1, with the highest accuracy on the held-out samples.
        validation_accuracy: of that epoch.
        test_accuracy: of that epoch's model, measured once, after training, as hardware has it.
        test_accuracy_unrounded: on floating samples as they are; None if they are codes.
        history: one entry an epoch: epoch, loss, validation_accuracy, seconds.
        encoder: which of its bits are constant in the training samples.
        metrics: those of `BaseModel.metrics`, on the test samples.
        measure: what the accuracies are: "accuracy", or "R2" of a model that gives numbers only.
    """

    best_epoch: int
    validation_accuracy: float
    test_accuracy: float
    test_accuracy_unrounded: float | None
    history: list[dict[str, float]]
    encoder: EncoderReport
    metrics: dict[str, float] = field(default_factory=dict)
    measure: str = "accuracy"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        history = [{key: _json_number(value) for key, value in row.items()} for row in self.history]
        return {**asdict(self), "history": history, "encoder": self.encoder.to_json()}

    def curves(self) -> dict[str, list[float | None]]:
        """The history as equally long lists `epoch`, `loss` (None where it is not finite) and `validation_accuracy`."""
        return _curves(self.history)


def train(
    make_model: Callable[[], torch.nn.Module],
    data: Any,
    recipe: Recipe,
    out: str | os.PathLike[str],
    *,
    device: torch.device | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train a model and write its frozen checkpoint to `out`.

    After every epoch all state goes to `out` + ".resume"; if that file is there on entry, training goes on from it
    and gives the same result as an unbroken run. The test samples are used once, at the end.

    Where PyTorch's default process group is initialised, its processes train one model together: each calls this
    function with the same arguments but its own device and takes its part of every batch, rank 0 writes the files,
    and all get the same result. It is that of one process but for the order in which gradients are summed; a model
    that draws random numbers while it trains draws others in each process.

    Args:
        make_model: gives a fresh model; called after seeding. One that is fitted keeps its encoders and is trained on,
            for example `lambda: get_model(name, pretrained=True).unfreeze()`.
        data: the data set, or a pair (training samples, test samples), see `difflut.data.dataset_of`; the recipe's
            `validation` training samples are held out.
        recipe: how to train.
        out: where the checkpoint goes.
        device: where to train; the CPU by default.
        progress: whether to show a progress bar.

    Raises:
        DataError: if there are too few samples, or a label is no class of the model.
        ConfigError: if the model has no trainable parameters, the recipe does not fit the samples or processes, or
            another training writes to `out`.
        CheckpointError: if the resume file is damaged or belongs to another run.
        TraceError: if the model has no circuit; names the operator, the line and a remedy, before the first step.
    """
    data = dataset_of(data)
    with _trained(make_model, data, recipe, Path(out), device, progress) as run:
        return run.processes.on_first(lambda: run.finish(data))


def train_untested(
    make_model: Callable[[], torch.nn.Module],
    data: Any,
    recipe: Recipe,
    out: str | os.PathLike[str],
    *,
    device: torch.device | None = None,
    progress: bool = True,
    after_epoch: AfterEpoch | None = None,
) -> BaseModel:
    """Train as `train` does, for who compares models: the test samples are not used, and the checkpoint's `info` says
    nothing of them. `add_test_accuracy` makes up for that.

    Args:
        make_model, data, recipe, out, device, progress: as of `train`.
        after_epoch: gets the history after each epoch, and once before the first if training goes on; what it raises
            ends the training, whose resume file stays.

    Returns:
        the model of the epoch with the highest accuracy on the held-out samples, frozen.

    Raises:
        DataError, ConfigError, CheckpointError, TraceError: as `train`.
    """
    with _trained(make_model, dataset_of(data), recipe, Path(out), device, progress, after_epoch) as run:
        return run.processes.on_first(run.save_chosen)


def add_test_accuracy(path: str | os.PathLike[str], model: BaseModel, data: Dataset) -> None:
    """Measure the model of a checkpoint on the test samples and write what they say into the checkpoint's `info`."""
    model.info = {**model.info, **_test_info(model, data)}
    model.save_checkpoint(path, frozen=True)


def _test_info(model: BaseModel, data: Dataset) -> dict[str, Any]:
    unrounded, metrics = accuracy_unrounded(model, data.test), measure(model, data.test)
    return {
        "test_accuracy": accuracy(model, data.test),
        **({} if unrounded is None else {"test_accuracy_unrounded": unrounded}),
        **({"metrics": metrics} if metrics else {}),
        "test_samples": len(data.test),
    }


@contextmanager
def _trained(
    make_model: Callable[[], torch.nn.Module],
    data: Dataset,
    recipe: Recipe,
    out: Path,
    device: torch.device | None,
    progress: bool,
    after_epoch: AfterEpoch | None = None,
) -> Iterator[_Run]:
    """The run after its last epoch, while the place of the checkpoint is held."""
    device = device or torch.device("cpu")
    if device.type == "cpu":
        keep_freed_memory()
    processes = Processes.current()
    if recipe.batch_size < processes.count:
        raise ConfigError(
            f"a batch of {recipe.batch_size} cannot be shared by {processes.count} processes; give a larger batch_size"
        )
    if len(data.train) < recipe.validation + recipe.batch_size:
        raise DataError(
            f"{data.name} has {len(data.train)} training samples; the recipe holds out {recipe.validation} and needs "
            f"at least one batch of {recipe.batch_size} more"
        )
    torch.manual_seed(recipe.seed)
    order = torch.randperm(len(data.train), generator=_generator(recipe.seed, -1))
    held_out = data.train.subset(order[: recipe.validation])
    fitting = data.train.subset(order[recipe.validation :])
    model = unwrap(make_model())
    if model.names is None and data.names is not None:
        model.names = data.names
    if model.fitted:
        model.encoder_report = report_on(model, fitting.x)
    else:
        model.fit_encoder(fitting.x)
    for split in (data.train, data.test):
        check_labels(model, split, data.name)
    model.to(device).train()
    if not any(p.requires_grad for p in model.parameters()):
        raise ConfigError(f"model {model.name!r} has no trainable parameters; train a fresh one, or unfreeze() it")
    processes.on_first(lambda: check_circuit(model))
    end = End.of(model, fitting.x[:_TRIED].to(device)) if recipe.sweeps else None
    with ExitStack() as held:
        processes.on_first(lambda: held.enter_context(claimed(out)))
        run = _Run(model, recipe, data.name, out, processes, after_epoch, end)
        run.resume()
        run.fit(fitting.to(device), held_out.to(device), progress)
        yield run


def check_circuit(model: BaseModel) -> None:
    """Refuse a fitted model that cannot be exported, before time goes into its training.

    Raises:
        TraceError: names the operator, the line and a remedy.
    """
    from difflut.export.frontend.trace import record  # the export side imports this package

    record(model)


class _Run:
    def __init__(
        self,
        model: BaseModel,
        recipe: Recipe,
        data_name: str,
        out: Path,
        processes: Processes,
        after_epoch: AfterEpoch | None,
        end: End | None,
    ) -> None:
        self.end = end
        self.model, self.recipe, self.data_name, self.out, self.processes = model, recipe, data_name, out, processes
        self.after_epoch = after_epoch or (lambda history: None)
        self.resume_path = out.with_name(out.name + ".resume")
        self.optimizer = self._new_optimizer()
        self.averages = self._parameters() if recipe.average and recipe.epochs else {}
        self.history: list[dict[str, float]] = []
        self.best: tuple[int, float, bytes] = (0, -math.inf, b"")

    def _new_optimizer(self) -> torch.optim.Optimizer:
        optimizer = self.model.make_optimizer(self.recipe.learning_rate)
        self.peak_rates = [float(group["lr"]) for group in optimizer.param_groups]
        return optimizer

    def _freeze_before(self, epoch: int) -> None:
        """Fix what is not learned in `epoch` (from 0): the connections, and drop the parameters that chose them; the
        last layer, of which sweeps choose all.
        """
        self._freeze_connections_before(epoch)
        if epoch >= self.recipe.epochs and self.averages:
            self._set_parameters(self.averages)
            self.averages = {}
        if self.end is not None and epoch >= self.recipe.epochs and not self.end.frozen:
            self.end.freeze(blank=not self.recipe.epochs)
            self.optimizer.state.clear()  # no step follows

    def _freeze_connections_before(self, epoch: int) -> None:
        last = self.recipe.connection_epochs
        learning = [layer for _, layer in self.model.lut_layers() if layer.learnable is not None]
        if last is None or epoch < last or not learning:
            return
        for layer in learning:
            layer.freeze_connections()
        left = dict(self.model.named_parameters())
        self.averages = {name: value for name, value in self.averages.items() if name in left}
        moments = self.optimizer.state
        self.optimizer = self._new_optimizer()
        self.optimizer.state.update({p: moments[p] for p in self.model.parameters() if p in moments})

    def _parameters(self) -> dict[str, torch.Tensor]:
        """Copies of the parameters that are trained."""
        return {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def _set_parameters(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, parameter in self.model.named_parameters():
            if name in values:
                parameter.copy_(values[name])

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """While the model has the averages of its parameters in their place, if the recipe wants them."""
        kept = self._parameters() if self.averages else {}
        self._set_parameters(self.averages)
        try:
            yield
        finally:
            self._set_parameters(kept)

    def resume(self) -> None:
        """Go on from the resume file, if there is one."""
        content = self.processes.on_first(self._read_resume_file)
        if content is None:
            return
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            if not isinstance(state["optimizer"], dict) or not isinstance(state["history"], list):
                raise TypeError("it has no state of an optimizer, or no history")
            if (state["recipe"], state["model"], state["data"]) != self._identity():
                raise CheckpointError(
                    f"{self.resume_path}: belongs to model {state['model']!r} on {state['data']} with the recipe "
                    f"{state['recipe']!s:.500}; delete it or choose another --out"
                )
            self._freeze_before(len(state["history"]) - 1)
            self.model.load_state_dict(state["parameters"])
            self._resume_optimizer(state["optimizer"]["state"])
            self._resume_averages(state["averages"])
            self.history = [_epoch_of(row) for row in state["history"]]
            checkpoint = state["best_checkpoint"].numpy().tobytes()
            self.best = (int(state["best_epoch"]), float(state["best_accuracy"]), checkpoint)
        except CheckpointError:
            raise
        except Exception as error:  # what torch.load raises on a damaged file is not specified
            raise CheckpointError(
                f"{self.resume_path}: cannot resume from it ({error}); delete it to start afresh"
            ) from error

    def _resume_optimizer(self, moments: dict[int, dict[str, torch.Tensor]]) -> None:
        """Load the moments of a file, which says nothing else of the optimizer: its options are the recipe's."""
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        for parameter, values in self.optimizer.state.items():
            if not all(value is None or value.shape in (parameter.shape, ()) for value in values.values()):
                raise ValueError("the optimizer's state is that of other parameters")

    def _resume_averages(self, averages: dict[str, torch.Tensor]) -> None:
        shapes = {name: value.shape for name, value in self.averages.items()}
        if averages and {name: value.shape for name, value in averages.items()} != shapes:
            raise ValueError("the averages are those of other parameters")
        self.averages = {name: value.to(self.averages[name]) for name, value in averages.items()}

    def _read_resume_file(self) -> bytes | None:
        try:
            return self.resume_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"{self.resume_path}: cannot be read ({error}); delete it to start afresh") from error

    def _identity(self) -> tuple[dict[str, Any], str, str]:
        return asdict(self.recipe), self.model.name, self.data_name

    def save_state(self) -> None:
        """Write everything that resuming needs."""
        epoch, best_accuracy, checkpoint = self.best
        buffer = io.BytesIO()
        torch.save(
            {
                **dict(zip(("recipe", "model", "data"), self._identity(), strict=True)),
                "parameters": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "averages": self.averages,
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
        recipe, processes = self.recipe, self.processes
        steps = len(fitting) // recipe.batch_size
        if self.history:
            self.after_epoch(self.history)
        with task(
            f"training {self.model.name}",
            recipe.passes * steps,
            "steps",
            done=len(self.history) * steps,
            hidden=not progress or processes.rank > 0,
        ) as bar:
            for epoch in range(len(self.history), recipe.passes):
                started = time.perf_counter()
                self._freeze_before(epoch)
                if epoch < recipe.epochs:
                    loss = self._epoch(fitting, epoch, steps, bar)
                else:
                    loss = self._sweep(fitting, epoch, steps, bar)
                processes.copy_from_first(self.model.buffers())  # such as running means, which each part moves
                with self._averaged():
                    reached = self._held_out_quality(held_out)
                    chosen = self.model.checkpoint_bytes(frozen=True) if reached > self.best[1] else None
                self.history.append(
                    {
                        "epoch": epoch + 1,
                        "loss": loss,
                        "validation_accuracy": reached,
                        "seconds": time.perf_counter() - started,
                    }
                )
                if chosen is not None:
                    self.best = (epoch + 1, reached, chosen)
                processes.on_first(self.save_state)
                best, now = (quality(value, self.model.output_heads.measure) for value in (self.best[1], reached))
                bar.words = f"loss {loss:.4f}, held out {now}, best {best}"
                LOGGER.info("epoch %d of %d: %s", epoch + 1, recipe.passes, bar.words)
                self.after_epoch(self.history)

    def _held_out_quality(self, held_out: Split) -> float:
        """The accuracy on the held-out samples, or R squared, with the thresholds that they choose."""
        model, processes = self.model, self.processes
        choose_thresholds(model, held_out)
        if not model.output_heads.decide:  # R squared has no parts
            return accuracy(model, held_out)
        device = held_out.y.device
        own = held_out.subset(torch.arange(len(held_out), device=device)[processes.part(len(held_out))])
        correct = torch.tensor(count_correct(model, own), device=device)
        processes.sum([correct])
        return int(correct) / len(held_out)

    def _epoch(self, fitting: Split, epoch: int, steps: int, bar: Task) -> float:
        recipe, model, processes = self.recipe, self.model, self.processes
        device = fitting.x.device
        generator = _generator(recipe.seed, epoch)
        # For models that draw numbers themselves, such as with dropout: in each process others, rank 0's as if alone.
        torch.manual_seed(generator.initial_seed() + processes.rank)
        order = torch.randperm(len(fitting), generator=generator)
        part = processes.part(recipe.batch_size)
        # The batch's loss is the mean over its samples, so each part's mean counts with its share of the samples.
        share = torch.tensor((part.stop - part.start) / recipe.batch_size, device=device)
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        updates = ChoiceUpdates(model, self.optimizer, processes.count == 1)
        total = torch.zeros((), device=device)
        for step in range(steps):
            index = order[step * recipe.batch_size : (step + 1) * recipe.batch_size].to(device)
            # Every process draws for the whole batch, so that the generators stay in step.
            x = augment(fitting.x[index], recipe, generator)[part]
            fraction = schedule((epoch + step / steps) / recipe.epochs, recipe)
            for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
                group["lr"] = peak * fraction
            with flip_input_bits(model, recipe.input_flips):
                logits = model(x)
            loss = model.training_loss(logits, fitting.y[index[part]])
            loss = loss + model.get_regularization_loss().to(device)
            self.optimizer.zero_grad()
            with updates.deferred():
                loss.backward(share.to(loss.dtype))  # type: ignore[no-untyped-call]
            processes.sum(parameter.grad for parameter in parameters)
            self._decay(parameters)
            updates.step()
            model.project()
            self._average()
            total += loss.detach() * share
            bar.advance()
        processes.sum([total])
        return float(total) / steps

    @torch.no_grad()
    def _decay(self, parameters: Sequence[torch.Tensor]) -> None:
        """The recipe's weight decay, at the rates of the step that follows."""
        if self.recipe.weight_decay:
            wanted = set(parameters)
            for group in self.optimizer.param_groups:
                for parameter in wanted.intersection(group["params"]):
                    parameter.mul_(1 - group["lr"] * self.recipe.weight_decay)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averages by a step."""
        if self.averages:
            for name, parameter in self.model.named_parameters():
                if name in self.averages:
                    self.averages[name].lerp_(parameter, 1 - self.recipe.average)

    def _sweep(self, fitting: Split, epoch: int, steps: int, bar: Task) -> float:
        """A sweep over the last layer, on samples changed as an epoch's are; the loss after it."""
        end, recipe = self.end, self.recipe
        assert end is not None  # `_trained` finds it for a recipe with sweeps
        start, chosen, nodes = bar.done, 0, end.layer.out_width

        def advance(more: int) -> None:
            nonlocal chosen
            chosen += more
            bar.advance(start + steps * chosen // nodes - bar.done)

        generator = _generator(recipe.seed, epoch)
        chance = np.random.default_rng(generator.initial_seed())
        count = recipe.sweep_copies * len(fitting)
        labels = fitting.y.reshape(len(fitting)).long().cpu().repeat(recipe.sweep_copies)

        def parts() -> Iterator[npt.NDArray[np.uint8]]:
            for index in torch.split(torch.arange(count, device=fitting.x.device) % len(fitting), _SWEPT):
                yield end.bits(self.model, augment(fitting.x[index], recipe, generator))

        bits = BitMatrix.of(parts(), count, end.layer.in_width)
        return end.improve(bits, labels, end.options(self.model, recipe), chance, advance)

    def chosen(self) -> BaseModel:
        """The best epoch's model; its info says nothing of test samples."""
        epoch, validation_accuracy, checkpoint = self.best
        report = self.model.encoder_report
        assert report is not None  # `_trained` fits the encoder
        with scratch("train") as folder:
            (folder / "chosen").write_bytes(checkpoint)
            model = self.model.load_checkpoint(folder / "chosen")
        model.encoder_report = report
        model.info = {
            "data": self.data_name,
            "recipe": asdict(self.recipe),
            "best_epoch": epoch,
            "validation_accuracy": validation_accuracy,
            **({} if model.output_heads.decide else {"measure": model.output_heads.measure}),
            "encoder": report.to_json(),
            "history": _curves(self.history),
        }
        return model

    def save(self, model: BaseModel) -> BaseModel:
        """Write the checkpoint; nothing is left to resume."""
        model.save_checkpoint(self.out, frozen=True)
        if self.resume_path.exists():
            os.unlink(self.resume_path)
        return model

    def save_chosen(self) -> BaseModel:
        """The best epoch's model, which is written as it is."""
        return self.save(self.chosen())

    def finish(self, data: Dataset) -> TrainingResult:
        """Measure the chosen epoch's model on the test samples and write its checkpoint."""
        model = self.chosen()
        model.info |= _test_info(model, data)
        self.save(model)
        assert model.encoder_report is not None  # `chosen` keeps it
        return TrainingResult(
            model.info["best_epoch"],
            model.info["validation_accuracy"],
            model.info["test_accuracy"],
            model.info.get("test_accuracy_unrounded"),
            self.history,
            model.encoder_report,
            model.info.get("metrics", {}),
            model.output_heads.measure,
        )


def _epoch_of(row: dict[str, float]) -> dict[str, float]:
    """One entry of the history in a resume file."""
    if not isinstance(row, dict):
        raise TypeError(f"an epoch is {row!r:.40}")
    return {
        "epoch": int(row["epoch"]),
        **{key: float(row[key]) for key in ("loss", "validation_accuracy", "seconds")},
    }


def _curves(history: list[dict[str, float]]) -> dict[str, list[float | None]]:
    # Without the seconds: the same training gives the same checkpoint, byte for byte.
    return {key: [_json_number(row[key]) for row in history] for key in ("epoch", "loss", "validation_accuracy")}


def _json_number(value: float) -> float | None:
    """The number, None for the loss of a training that diverges: JSON has no NaN."""
    return value if math.isfinite(value) else None


def schedule(fraction: float, recipe: Recipe) -> float:
    """The learning rate at a fraction (0 to 1) of training, relative to its peak."""
    warmup = recipe.warmup_epochs / recipe.epochs
    if fraction < warmup:
        return max(fraction / warmup, 1e-3)
    cosine = 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))
    return recipe.final_fraction + (1 - recipe.final_fraction) * cosine


def _generator(seed: int, epoch: int) -> torch.Generator:
    """A generator that depends on nothing but the seed and the epoch, so that resuming needs no generator state."""
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch + 1) & 0x7FFF_FFFF)
