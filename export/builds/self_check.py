"""An export checks itself before anything is written: the circuit, the model, and the model loaded again from the
checkpoint that goes into the build must give equal scores.

A checkpoint has parameters and persistent buffers. What a forward takes from elsewhere, such as a permutation in a
plain attribute, is in the circuit but not in the checkpoint, and only `difflut verify` would notice.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from difflut.data import mnist_test_images
from difflut.errors import CheckpointError
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.simulate import simulate
from difflut.export.errors import SelfCheckError
from difflut.files import WriteError
from difflut.models import zoo
from difflut.models.base_model import BaseModel
from difflut.models.fitting import encoders
from difflut.training import predict_scores

DRAWN, REAL = 192, 64
_SEED = 0x5E1FC  # not one that a user's script has set: what is drawn at construction must come out differently
_OF_MODULES = {*vars(nn.Module()), "_made_with", "encoder_report", "info"}


def self_check(model: BaseModel, circuit: Circuit, checkpoint: bytes, samples: Tensor | None = None) -> None:
    """Compare scores and classes of a model, its circuit and its reloaded checkpoint on the same codes.

    Args:
        model: what is exported.
        circuit: what was made of it.
        checkpoint: the file that goes into the build.
        samples: real samples (N, ...), numbers or codes, of which the first `REAL` are compared besides `DRAWN` drawn
            ones; by default images that the package ships for the model.

    Raises:
        SelfCheckError: the checkpoint cannot be loaded again, or something differs; says what.
    """
    codes = torch.cat([drawn_codes(model), *_real_codes(model, samples)])
    reloaded = _reload(model, checkpoint)
    expected = _outputs(model, codes)
    loaded = _differences(expected, _outputs(reloaded, codes))
    if loaded:
        lost = ", ".join(not_in_checkpoint(model, reloaded))
        cause = (
            f"what differs and is in no checkpoint: {lost}. Keep it by self.register_buffer(name, tensor) in __init__"
            if lost
            else "its forward depends on something that is in no attribute, such as random numbers; make it a buffer, "
            "by self.register_buffer(name, tensor) in __init__"
        )
        raise SelfCheckError(f"model {model.name!r}: loaded from its own checkpoint it has {loaded}; {cause}")
    result = simulate(circuit, codes.reshape(len(codes), -1).numpy())
    emitted = _differences(expected, np.column_stack([result.scores, result.classes]))
    if emitted:
        raise SelfCheckError(
            f"model {model.name!r}: its circuit has {emitted}, although its checkpoint has not; that is a fault of "
            "difflut, or the forward is another one each time it runs: please report it with the model"
        )


def drawn_codes(model: BaseModel) -> Tensor:
    """int32 (DRAWN, *input_shape): codes drawn uniformly, then codes at and beside the thresholds of their features.

    A wide format has most of its codes where no threshold is. Encoders of other numbers than all features are left out.
    """
    form, features = model.input_format, model.input_size
    generator = torch.Generator().manual_seed(_SEED)
    half = (DRAWN // 2, features)
    uniform = torch.randint(form.lowest, form.highest + 1, half, generator=generator)
    whole = [one.thresholds.detach().cpu() for one in encoders(model).values() if one.features == features]
    thresholds = torch.cat([*whole, torch.zeros(features, 0 if whole else 1)], dim=1).t()
    at = form.quantize(thresholds.reshape(-1, *model.input_shape)).reshape(-1, features).long()
    chosen = at.gather(0, torch.randint(len(at), half, generator=generator))
    beside = (chosen + torch.randint(-1, 2, half, generator=generator)).clamp(form.lowest, form.highest)
    return torch.cat([uniform, beside]).to(torch.int32).reshape(-1, *model.input_shape)


def golden_codes(model: BaseModel, samples: Tensor | None, count: int) -> npt.NDArray[np.int64]:
    """`count` samples as codes (count, features): real ones for half of them, if there are any, and drawn ones."""
    real = [codes[: count // 2] for codes in _real_codes(model, samples)]
    drawn = drawn_codes(model)
    step = max(1, len(drawn) // count)  # drawn of all kinds
    return torch.cat([*real, drawn[::step]])[:count].reshape(count, -1).numpy().astype(np.int64)


def _real_codes(model: BaseModel, samples: Tensor | None) -> Iterator[Tensor]:
    if samples is None:
        entry = zoo().get(model.name)
        if entry is None or entry.dataset != "mnist":
            return
        samples = mnist_test_images(REAL)
    yield model.input_format.quantize(samples[:REAL].cpu().reshape(-1, *model.input_shape))


def _outputs(model: BaseModel, codes: Tensor) -> npt.NDArray[np.int64]:
    scores, classes = predict_scores(model, codes)
    return np.column_stack([scores.numpy(), classes.numpy()])


def _differences(expected: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> str:
    """How many samples differ, and the first of them; empty if none does."""
    wrong = np.flatnonzero((expected != found).any(axis=1))
    if not len(wrong):
        return ""
    first = int(wrong[0])
    return (
        f"other scores for {len(wrong)} of {len(expected)} samples (sample {first}: "
        f"{_short(found[first, :-1])} instead of {_short(expected[first, :-1])})"
    )


def _short(scores: npt.NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, scores[:10]))
    return f"[{shown}{', ...' if len(scores) > 10 else ''}]"


def _reload(model: BaseModel, checkpoint: bytes) -> BaseModel:
    """The model that a constructor call like the first one and the checkpoint give."""
    with _other_random_numbers(), ExitStack() as held:
        try:
            path = Path(held.enter_context(tempfile.TemporaryDirectory())) / "model.safetensors"
            path.write_bytes(checkpoint)
        except OSError as error:
            raise WriteError(
                f"cannot write the checkpoint to a temporary folder to read it again: {error.strerror or error}; "
                "choose a place that is writable and has space, by TMPDIR"
            ) from error
        try:
            made = model.made_again()
        except Exception as error:
            raise SelfCheckError(
                f"model {model.name!r}: {type(model).__name__} cannot be made a second time to load its checkpoint "
                f"({type(error).__name__}: {error}); its constructor must give an equal model for equal arguments"
            ) from error
        made.name = model.name
        try:
            return made.load_checkpoint(path)
        except CheckpointError as error:
            reason = str(error).replace(f"{path}: ", "")
            raise SelfCheckError(f"model {model.name!r}: cannot be loaded from its own checkpoint: {reason}") from error


@contextmanager
def _other_random_numbers() -> Iterator[None]:
    """Random numbers that the caller has not drawn; the caller's go on afterwards as if none had been."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    random.seed(_SEED)
    np.random.seed(_SEED)
    torch.default_generator.manual_seed(_SEED)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])


def not_in_checkpoint(model: nn.Module, reloaded: nn.Module) -> list[str]:
    """The names of attributes and buffers that no checkpoint keeps and that differ, such as `perm` or `first.order`."""
    others = dict(reloaded.named_modules())
    found = []
    for name, module in model.named_modules():
        if name not in others or (type(module).__module__.startswith("difflut.") and not isinstance(module, BaseModel)):
            continue
        here, there = _unsaved(module), _unsaved(others[name])
        found += [f"{name}.{key}" if name else key for key in here if not _equal(here[key], there.get(key))]
    return found


def _unsaved(module: nn.Module) -> dict[str, Any]:
    plain = {key: value for key, value in vars(module).items() if key not in _OF_MODULES}
    return plain | {name: module._buffers[name] for name in sorted(module._non_persistent_buffers_set)}


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are equal; those of a type that cannot be compared count as equal."""
    if isinstance(one, Tensor | np.ndarray):
        return isinstance(other, type(one)) and np.array_equal(_array(one), _array(other))
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other if isinstance(one, bool | int | float | complex | str | bytes | set | frozenset) else True


def _array(value: Tensor | npt.NDArray[Any]) -> npt.NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value
