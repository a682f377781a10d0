"""What a structure will cost and how fast it will be, before anything is trained."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from difflut.data import Dataset, samples_of
from difflut.errors import LostFeatureWarning
from difflut.export.builds.evidence import Evidence, estimated_clock, estimated_size
from difflut.export.builds.info import BuildInfo
from difflut.export.builds.make import design_model
from difflut.models.base_model import BaseModel
from difflut.models.wrappers import takes_wrapped
from difflut.progress import task
from difflut.report.evidence import Known
from difflut.report.summary import lines
from difflut.shown import Shown

SAMPLES = 1000
_SEED = 0


@dataclass(frozen=True, repr=False)
class Estimate(Shown):
    """A circuit that was planned and not built.

    Attributes:
        info: what `build.json` would say of it.
        basis: what the estimate is of, in words.
    """

    info: BuildInfo
    basis: str

    @property
    def luts(self) -> Evidence:
        """The LUTs of the family."""
        return estimated_size(self.info)

    @property
    def flip_flops(self) -> int:
        """Flip-flops for data and one a cycle for its validity; those of control and of a wrapper are not counted."""
        stages = self.info.timing.stages if self.info.timing is not None else ()
        return sum(stage.register_bits for stage in stages) + self.info.schedule.held_bits + self.info.latency_cycles

    @property
    def latency_cycles(self) -> int:
        """Cycles from an input, or the last word of an image, to its result."""
        return self.info.latency_cycles

    @property
    def clock(self) -> Evidence | None:
        """The clock; None where the delay model says nothing."""
        return estimated_clock(self.info)

    def lines(self) -> Iterator[str]:
        """Size, latency and clock, and what they are worth."""
        yield f"{self.info.model.name} on {self.info.fpga}, estimated: {self.basis}"
        for line in lines(self.info, Known.of(self.info, ())):
            yield f"  {line}"
        yield f"  about {self.flip_flops:,} flip-flops, without those of control"

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        clock = self.clock
        return {
            "model": self.info.model.name,
            "fpga": self.info.fpga,
            "basis": self.basis,
            "luts": self.info.estimated_luts,
            "luts_are": self.luts.words,
            "flip_flops": self.flip_flops,
            "latency_cycles": self.latency_cycles,
            "initiation_interval": self.info.initiation_interval,
            "clock_mhz": None if clock is None else clock.value,
            "clock_is": None if clock is None else clock.words,
            "parts": [{"name": part.name, "luts": part.estimated_luts} for part in self.info.parts],
        }


@takes_wrapped
def estimate(model: BaseModel, data: Any = None, **options: Any) -> Estimate:
    """Plan the circuit of a model without training, checking or writing anything; the model stays as it is.

    A model that is not fitted is copied, its encoder fitted, and its tables and connections are those that it starts
    with. Training changes all of them: passes remove less or more of a trained circuit, the structure stays.

    Args:
        model: fitted or not.
        data: what the encoder of a model that is not fitted is fitted on, see `difflut.data.samples_of`;
            samples drawn at random by default.
        options: as for `difflut.export.builds.make.make_build`: fpga, form, interface, stream, outputs, pipeline, name.

    Raises:
        ConfigError, TraceError: as `make_build`.
        DataError: the data do not fit the model.
    """
    with task(f"planning {model.name}"):
        return _estimate(model, data, options)


def _estimate(model: BaseModel, data: Any, options: dict[str, Any]) -> Estimate:
    if model.fitted:
        return Estimate(design_model(model, **options).info, "the model as it is now")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(_SEED)
        samples, basis = _training_samples(model, data)
        trial = copy.deepcopy(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LostFeatureWarning)
            trial.fit_encoder(samples)
    words = f"an untrained structure, with tables and connections as drawn, the encoder fitted on {basis}"
    return Estimate(design_model(trial.eval(), **options).info, words)


def _training_samples(model: BaseModel, data: Any) -> tuple[Tensor, str]:
    """The samples, and what they are in words."""
    if data is None:
        return _drawn(model), f"{SAMPLES:,} samples drawn at random"
    if isinstance(data, Dataset):
        return data.train.x, data.name
    return samples_of(data), "the data given"


def _drawn(model: BaseModel) -> Tensor:
    """Codes of the model's format; numbers from 0 to 1 for a model that fits its format to them."""
    shape = (SAMPLES, *model.input_shape)
    if model.input_bits is not None:
        return torch.rand(shape)
    return torch.randint(model.input_format.lowest, model.input_format.highest + 1, shape, dtype=torch.int32)
