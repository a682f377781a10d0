"""How each zoo model is trained: data, not code."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from difflut.errors import ConfigError
from difflut.registry import Registry

if TYPE_CHECKING:
    from difflut.models.base_model import BaseModel


BORDERS = ("zeros", "reflect")


@dataclass(frozen=True)
class Recipe:
    """Adam with a one-cycle learning rate (linear warm-up, cosine decay) on cross-entropy; then, if asked for, sweeps
    of coordinate descent over the last LUT layer (`difflut.training.descent`).

    Attributes:
        epochs: passes over the training samples; may be 0 with sweeps.
        batch_size: samples a step; an incomplete last batch of an epoch is left out.
        learning_rate: the peak learning rate.
        warmup_epochs: epochs of linear warm-up.
        final_fraction: the learning rate at the end, as a fraction of the peak.
        connection_epochs: after this many epochs learnable connections stay as they are and only the nodes go on
            learning, which makes a step several times cheaper; None: they are learned to the end.
        max_shift: images are shifted by up to this many pixels in each direction at random (0: not at all).
        border: what comes in where images are shifted: "zeros", or "reflect", the image mirrored at its outermost
            pixels.
        flip: images are mirrored left to right with probability 1/2.
        input_flips: the probability that a bit of an encoder is its complement, in each step anew.
        weight_decay: by which share of the learning rate all parameters shrink in a step, apart from the gradient.
            Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (AdamW).
        average: the decay of a moving average of the parameters, a step's share being 1 - average; the held-out samples
            and the checkpoint see the averages. 0: the parameters as they are. Source: Polyak and Juditsky,
            "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control and Optimization 30, 1992.
        validation: how many training samples are held out to choose the best epoch.
        sweeps: passes over the nodes of the last LUT layer, after the epochs; without epochs they start with nodes
            that are always 0.
        sweep_copies: how often a sweep sees each training sample, each time shifted and mirrored anew.
        sweep_inputs: how many inputs of a node a sweep tries to connect to other bits.
        sweep_price: what a comparator that no node reads yet must be worth to a sweep, in parts of the loss divided by
            the number of nodes.
        seed: of initialisation, order, held-out samples, shifts and mirroring.
    """

    epochs: int = 20
    batch_size: int = 100
    learning_rate: float = 1e-2
    warmup_epochs: float = 0.0
    final_fraction: float = 0.01
    connection_epochs: int | None = None
    max_shift: int = 0
    border: str = "zeros"
    flip: bool = False
    input_flips: float = 0.0
    weight_decay: float = 0.0
    average: float = 0.0
    validation: int = 5000
    sweeps: int = 0
    sweep_copies: int = 1
    sweep_inputs: int = 6
    sweep_price: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or not self.learning_rate > 0 or self.validation < 1 or self.sweep_copies < 1:
            raise ConfigError(f"recipe {self}: batch_size, learning_rate, validation and sweep_copies must be positive")
        if self.epochs < 0 or self.sweeps < 0 or self.sweep_inputs < 0 or not self.epochs + self.sweeps:
            raise ConfigError(
                f"recipe {self}: epochs, sweeps and sweep_inputs must be 0 or more, and epochs or sweeps positive"
            )
        numbers = (self.learning_rate, self.warmup_epochs, self.final_fraction, self.sweep_price)
        if not all(0 <= value < math.inf for value in numbers):
            raise ConfigError(
                f"recipe {self}: learning_rate, warmup_epochs, final_fraction and sweep_price must be finite and not "
                "negative"
            )
        if not 0 <= self.seed < 1 << 63:
            raise ConfigError(f"recipe: seed is {self.seed}; it must be from 0 to 2**63 - 1")
        if self.connection_epochs is not None and self.connection_epochs < 0:
            raise ConfigError(f"recipe: connection_epochs is {self.connection_epochs}; it must be 0 or more, or None")
        if self.border not in BORDERS:
            raise ConfigError(f"recipe: border is {self.border!r}; it must be {' or '.join(BORDERS)}")
        for name, most, words in (
            ("input_flips", 0.5, "0.5"),
            ("weight_decay", 1.0, "1"),
            ("average", math.nextafter(1, 0), "less than 1"),
        ):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ConfigError(f"recipe: {name} is {value}; it must be from 0 to {words}")
        if self.max_shift < 0:
            raise ConfigError(f"recipe: max_shift is {self.max_shift}; it must be 0 or more pixels")

    @property
    def passes(self) -> int:
        """Epochs and sweeps."""
        return self.epochs + self.sweeps

    def with_(self, **changes: object) -> Recipe:
        """A copy with some fields replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]


RECIPES: Registry[Recipe] = Registry(
    "recipe",
    "difflut.training",
    {
        "cifar10_conv": Recipe(epochs=25, connection_epochs=6, max_shift=2, flip=True),
        "mnist_fc_8k_dwn": Recipe(epochs=25, connection_epochs=10, max_shift=1),
        "mnist_fc_8k_linear": Recipe(epochs=30, learning_rate=5e-3, max_shift=1),
        # The front: sweeps alone, the more copies the more nodes there are to fit what is accidental.
        **{
            name: Recipe(epochs=0, sweeps=6, sweep_copies=2, sweep_inputs=3, max_shift=1)
            for name in ("mnist_96", "mnist_97_5")
        },
        "fashion_89": Recipe(epochs=0, sweeps=4, sweep_copies=4, sweep_price=0.3, flip=True),
        "mnist_97": Recipe(epochs=0, sweeps=6, sweep_copies=3, max_shift=1),
        "mnist_98": Recipe(epochs=0, sweeps=4, sweep_copies=3, sweep_price=0.3, max_shift=1),
        "mnist_98_5": Recipe(epochs=0, sweeps=4, sweep_copies=5, sweep_price=0.3, max_shift=1),
        "mnist_99": Recipe(epochs=0, sweeps=4, sweep_copies=6, sweep_price=0.3, max_shift=1),
        # One recipe for each family of `difflut.models.comparison`: its members differ in one training aid only.
        **{f"mnist_bitflip_{percent}": Recipe(epochs=8, max_shift=1) for percent in (0, 5, 10, 20)},
        **{
            name: Recipe(epochs=6, max_shift=1)
            for name in (
                "mnist_gradnorm_none",
                "mnist_gradnorm_layerwise",
                "mnist_gradnorm_batchwise",
                "mnist_gradnorm_layerwise_mean",
                "mnist_residual_init",
            )
        },
    },
)


def recipe_for(name: str, model: BaseModel | None = None) -> Recipe:
    """The recipe of a model: its own `recipe`, else that of a name in `RECIPES`, else the default."""
    own = model.recipe if model is not None else None
    return own or RECIPES.get(name, Recipe())
