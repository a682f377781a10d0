"""Networks that are any graph of nodes, with any sums behind it: what importers of circuits make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from difflut.errors import ConfigError
from difflut.heads import Bits, GroupSum, Head, NumberSum
from difflut.input_format import InputFormat
from difflut.layers.lut_graph import LUTGraph
from difflut.models.given import GivenNetwork

if TYPE_CHECKING:
    from typing_extensions import Self

HEADS: dict[str, type[Head]] = {"classes": GroupSum, "numbers": NumberSum, "bits": Bits}


class NetlistNetwork(GivenNetwork):
    """A thermometer, nodes that read its bits and each other, and a head over some of all these.

    `difflut.importers.from_netlist` makes one with its values, of nodes in any order:

        from_netlist(offsets, connections, tables, outputs, features=W, head="classes", options={"tau": 1.0})

    A head of another kind, such as one of plain bits, is an entry of `HEADS`. The nodes are given and not trained.

    Args:
        name, input_size, bits, scaled, input_format: as of `GivenNetwork`.
        results: of the head: classes, numbers.
        steps: nodes, and inputs per node, of each step of the `LUTGraph`.
        outputs: bits that the head gets; each result has an equal part of them.
        head: a name of `HEADS`.
        options: further arguments of the head, such as tau.

    Raises:
        ConfigError: there is no such network.
    """

    kind: ClassVar[str] = "netlist"

    def __init__(
        self,
        name: str,
        input_size: int,
        results: int,
        steps: Sequence[tuple[int, int]],
        outputs: int,
        *,
        head: str = "classes",
        options: Mapping[str, Any] | None = None,
        bits: int = 1,
        scaled: bool = False,
        input_format: InputFormat,
    ) -> None:
        super().__init__(name, input_size, results, steps, bits=bits, scaled=scaled, input_format=input_format)
        if type(outputs) is not int or not results <= outputs <= 1 << 24 or outputs % results:
            raise ConfigError(
                f"model {name!r}: {outputs!r} outputs; expected a multiple of {results} results, at most {1 << 24}"
            )
        if head not in HEADS:
            raise ConfigError(f"model {name!r}: head {head!r:.60}; expected one of {', '.join(HEADS)}")
        self.outputs = outputs
        self.head = HEADS[head](results, **(options or {}))
        self.tau = getattr(self.head, "tau", None)

    @property
    def structure(self) -> str:
        """The steps, in words."""
        most = max((n for _, n in self.shape), default=0)
        return f"{sum(nodes for nodes, _ in self.shape)} nodes of up to {most} inputs in {len(self.shape)} steps"

    @property
    def claims(self) -> int:
        """As of every given network; the outputs too."""
        return super().claims + self.outputs

    def _build_layers(self) -> None:
        self.graph = LUTGraph(self.encoder.output_width, self.shape, self.outputs)

    def unfreeze(self, family: str = "dwn_stable") -> Self:
        """Refused.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"model {self.name!r} is a netlist, whose nodes are given and cannot be trained; networks of LUT layers can"
        )

    def _forward_impl(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.graph(self._encoded(x)))
        return logits
