"""The fully connected LUT layer: connections from bits to node inputs, and the nodes behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from difflut.errors import ConfigError, InputShapeError
from difflut.functional import lut_lookup
from difflut.layers.bit_flip import flip_bits
from difflut.layers.config import LayerConfig
from difflut.layers.connections import Connections, FixedConnections, LearnableConnections, fixed_connections
from difflut.layers.gradients import stabilize_gradient
from difflut.layers.initializers import initialize, set_tables
from difflut.layers.regularizers import REGULARIZERS
from difflut.nodes import FixedNodes, Nodes


class LUTLayer(nn.Module):
    """`nodes` LUTs with n inputs each, all in a few tensors.

    In eval mode the layer is exactly `difflut.functional.lut_lookup(bits, connections, truth_tables())`; bit flips,
    gradient stabilisation and regularisers exist while training only.

    Args:
        in_width: the number of input bits.
        nodes: the number of nodes, which is the number of output bits.
        n: inputs per node, 1 to 8.
        family: the node family, a name of `FAMILIES` or a class of `Nodes`.
        connections: "random" (each input bit is used about equally often), "learnable" (trained, see
            `LearnableConnections`), "butterfly" (as in a fast Fourier transform, see `butterfly_connections`) or
            "consecutive" (node j reads the bits from j*n on).
        candidates: for learnable connections, how many input bits each node may choose from; None for all.
        groups: into how many equal consecutive parts bits and nodes are split; a node reads bits of its part only.
        node_options: further arguments of the family.
        initializer: a name of `INITIALIZERS`; None for the family's own initialisation.
        bit_flip: the probability that a node's output is flipped while training.
        gradient: what stabilises the gradient of the outputs, a name of `GRADIENTS`.
        regularizers: weights of names of `REGULARIZERS`.
    """

    def __init__(
        self,
        in_width: int,
        nodes: int,
        n: int = 6,
        family: str | type[Nodes] = "dwn_stable",
        connections: str = "random",
        candidates: int | None = None,
        *,
        groups: int = 1,
        node_options: Mapping[str, Any] | None = None,
        initializer: str | None = None,
        bit_flip: float = 0.0,
        gradient: str = "none",
        regularizers: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.config = LayerConfig(
            n, family, connections, candidates, node_options or {}, initializer, bit_flip, gradient, regularizers or {}
        )
        if in_width < 1:
            raise ConfigError(f"LUTLayer: in_width is {in_width}; it must be at least 1")
        if groups < 1 or in_width % groups or nodes % groups:
            raise ConfigError(
                f"LUTLayer: {in_width} bits and {nodes} nodes do not split into {groups} equal groups; make both "
                f"multiples of groups"
            )
        self.in_width = in_width
        self.nodes: Nodes = self.config.nodes_class(nodes, n, **self.config.node_options)
        self.family = self.config.family_name
        fixed = fixed_connections(connections, in_width, nodes, n, groups)
        self.wiring: Connections = (
            LearnableConnections(in_width, nodes * n, candidates, groups)
            if connections == "learnable"
            else FixedConnections(fixed)
        )
        if initializer is not None:
            initialize(self.nodes, initializer)
        self.register_load_state_dict_post_hook(_check_wiring)  # type: ignore[no-untyped-call]

    @property
    def out_width(self) -> int:
        """The number of output bits."""
        return self.nodes.nodes

    @property
    def n(self) -> int:
        """Inputs per node."""
        return self.nodes.n

    @property
    def connections(self) -> Tensor:
        """int64 (nodes, n): the input bit that each node input reads now."""
        return self.wiring.selected().view(self.out_width, self.n)

    @property
    def learnable(self) -> LearnableConnections | None:
        """What learns the connections; None if they are fixed."""
        return self.wiring if isinstance(self.wiring, LearnableConnections) else None

    def truth_tables(self) -> Tensor:
        """bool (nodes, 2**n)."""
        return self.nodes.truth_tables()

    def regularization_loss(self) -> Tensor:
        """Scalar for the training loss: the family's own, and the weighted regularisers of the tables."""
        (buffer,) = self.wiring.buffers()  # `connections` would choose them, only to say where they are
        loss = self.nodes.regularization_loss().to(buffer.device)
        if self.config.regularizers:
            values = self.nodes.table_values()
            for name, weight in self.config.regularizers.items():
                loss = loss + weight * REGULARIZERS[name](values)
        return loss

    def freeze_connections(self) -> None:
        """Keep the present connections for good and drop the parameters that choose them."""
        self.wiring = FixedConnections(self.connections)

    def freeze(self) -> None:
        """Keep the present function for good: integer connections and fixed tables, no parameters."""
        self.freeze_connections()
        fixed = FixedNodes(self.nodes.nodes, self.nodes.n).to(self.connections.device).train(self.training)
        fixed.tables.copy_(self.truth_tables())
        self.nodes, self.family = fixed, "fixed"
        self.config = replace(self.config, family="fixed", node_options={}, initializer=None, regularizers={})

    def unfreeze(self, family: str | type[Nodes] = "dwn_stable") -> None:
        """Give a frozen layer nodes of a family that compute the same and can be trained; connections stay.

        Raises:
            ConfigError: the family does not have these tables.
        """
        config = replace(self.config, family=family)
        nodes = config.nodes_class(self.nodes.nodes, self.nodes.n).train(self.training)
        set_tables(nodes, self.truth_tables().cpu())
        self.nodes, self.family, self.config = nodes.to(self.connections.device), config.family_name, config

    def forward(self, bits: Tensor) -> Tensor:
        """Outputs (N, nodes) from bits (N, in_width); bool in eval mode, floating 0/1 while training."""
        if bits.ndim != 2 or bits.shape[1] != self.in_width:
            raise InputShapeError(
                f"LUTLayer: got bits of shape {tuple(bits.shape)}; expected (samples, {self.in_width})"
            )
        if not self.training:
            outputs: Tensor = lut_lookup(bits.bool(), self.connections, self.truth_tables())
            return outputs
        columns = bits.t().to(torch.get_default_dtype()).contiguous()
        wired = self.nodes.wired(columns, self.connections) if type(self.wiring) is FixedConnections else None
        relaxed: Tensor = (
            self.nodes(self.wiring(columns).view(self.out_width, self.n, bits.shape[0])) if wired is None else wired
        )
        return stabilize_gradient(flip_bits(relaxed, self.config.bit_flip).t(), self.config.gradient)

    def extra_repr(self) -> str:
        kind = "learnable" if self.learnable is not None else "fixed"
        return f"in_width={self.in_width}, out_width={self.out_width}, n={self.n}, connections={kind}"


def _check_wiring(layer: LUTLayer, _: Any) -> None:
    """Refuse a state dict with connections to bits that are not there, at which a later call would fail."""
    (buffer,) = layer.wiring.buffers()
    if buffer.numel() and not buffer.is_meta and not 0 <= int(buffer.min()) <= int(buffer.max()) < layer.in_width:
        raise ValueError(
            f"connections from {int(buffer.min())} to {int(buffer.max())} in a layer of {layer.in_width} bits"
        )
