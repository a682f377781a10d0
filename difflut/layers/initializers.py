"""Initialisers of tables: what the nodes of a layer compute before training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError
from difflut.nodes import Nodes
from difflut.nodes.base import address_bits

# How far a chosen bit lies from the decision: half of the range of a trained value, so that training can still turn it.
MARGIN = 0.5
# Of the fit to families whose tables are no parameters. It starts from shrunk parameters, because a family that bounds
# its values has no gradient far from 0.
STEPS, LEARNING_RATE, SHRINK = 300, 0.05, 0.1


def uniform(nodes: int, n: int) -> Tensor:
    """Uniform in [-1, 1): every table is equally likely."""
    return torch.empty(nodes, 1 << n).uniform_(-1, 1)


def gaussian(nodes: int, n: int) -> Tensor:
    """Normal with mean 0 and standard deviation 0.5, clamped to [-1, 1]."""
    return (torch.randn(nodes, 1 << n) / 2).clamp_(-1, 1)


def residual(nodes: int, n: int) -> Tensor:
    """Each node passes its input 0 through.

    Source: Petersen et al., "Convolutional Differentiable Logic Gate Networks", NeurIPS 2024, section 3.3.
    """
    passed = MARGIN * (2 * address_bits(n)[:, 0] - 1)
    return passed.to(torch.get_default_dtype()).repeat(nodes, 1)


def zeros(nodes: int, n: int) -> Tensor:
    """Each node gives 0."""
    return torch.full((nodes, 1 << n), -MARGIN)


def ones(nodes: int, n: int) -> Tensor:
    """Each node gives 1."""
    return torch.full((nodes, 1 << n), MARGIN)


# Each gives values (nodes, 2**n) from -1 to 1; the table's bit is 1 where the value is positive.
INITIALIZERS: dict[str, Callable[[int, int], Tensor]] = {
    "gaussian": gaussian,
    "ones": ones,
    "residual": residual,
    "uniform": uniform,
    "zeros": zeros,
}


def initialize(nodes: Nodes, name: str) -> None:
    """Give the nodes the tables of an initialiser.

    A family whose `table_values` are a parameter takes the values as they are. For any other family its parameters are
    fitted to them by gradient descent on the squared error.

    Args:
        nodes: the nodes of a layer.
        name: a name of `INITIALIZERS`.

    Raises:
        ConfigError: if the family cannot represent these tables.
    """
    set_values(nodes, INITIALIZERS[name](nodes.nodes, nodes.n), f"initializer {name!r}")


def set_tables(nodes: Nodes, tables: Tensor) -> None:
    """Give the nodes the tables bool (nodes, 2**n), from where training can still turn every bit.

    Raises:
        ConfigError: if the family cannot represent them.
    """
    set_values(nodes, MARGIN * (2 * tables.to(torch.get_default_dtype()) - 1), "these tables")


def set_values(nodes: Nodes, target: Tensor, what: str) -> None:
    """Give the nodes the values floating (nodes, 2**n); `what` they are is for the message. See `initialize`."""
    values = nodes.table_values()
    if isinstance(values, nn.Parameter):
        with torch.no_grad():
            values.copy_(target)
    else:
        _fit(nodes, target.to(values))
    wrong = nodes.truth_tables() != (target > 0).to(values.device)
    if bool(wrong.any()):
        raise ConfigError(
            f"{what}: {type(nodes).__name__} cannot represent {int(wrong.any(dim=1).sum())} of its {nodes.nodes} "
            "tables; choose another family or initializer, or None for the family's own"
        )


@torch.enable_grad()
def _fit(nodes: Nodes, target: Tensor) -> None:
    parameters = [parameter for parameter in nodes.parameters() if parameter.requires_grad]
    if not parameters:
        raise ConfigError(f"initializer: {type(nodes).__name__} has no parameters; give None")
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(SHRINK)
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (nodes.table_values() - target).square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        nodes.project()
    optimizer.zero_grad()
