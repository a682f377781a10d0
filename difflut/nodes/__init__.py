"""Node families: how the tables of a layer are parametrised and trained. One file per family."""

from difflut.nodes.base import Nodes
from difflut.nodes.dwn import DWNNodes, DWNStableNodes
from difflut.nodes.fixed import FixedNodes
from difflut.nodes.linear import LinearLUTNodes

FAMILIES: dict[str, type[Nodes]] = {
    "dwn": DWNNodes,
    "dwn_stable": DWNStableNodes,
    "fixed": FixedNodes,
    "linear": LinearLUTNodes,
}

__all__ = ["FAMILIES", "DWNNodes", "DWNStableNodes", "FixedNodes", "LinearLUTNodes", "Nodes"]
