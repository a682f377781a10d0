"""Node families: how the tables of a layer are parametrised and trained. One file per family."""

from difflut.nodes.base import Nodes
from difflut.nodes.difflogic import DiffLogicNodes
from difflut.nodes.dwn import DWNNodes, DWNStableNodes
from difflut.nodes.fixed import FixedNodes
from difflut.nodes.fourier import FourierNodes
from difflut.nodes.hybrid import HybridNodes
from difflut.nodes.linear import LinearLUTNodes
from difflut.nodes.neura import NeuraLUTNodes
from difflut.nodes.poly import PolyLUTNodes
from difflut.nodes.probabilistic import ProbabilisticNodes
from difflut.nodes.warp import WARPNodes
from difflut.registry import Registry

FAMILIES: Registry[type[Nodes]] = Registry(
    "node family",
    "difflut.nodes",
    {
        "difflogic": DiffLogicNodes,
        "dwn": DWNNodes,
        "dwn_stable": DWNStableNodes,
        "fixed": FixedNodes,
        "fourier": FourierNodes,
        "hybrid": HybridNodes,
        "linear": LinearLUTNodes,
        "neura": NeuraLUTNodes,
        "poly": PolyLUTNodes,
        "probabilistic": ProbabilisticNodes,
        "warp": WARPNodes,
    },
)

__all__ = [
    "FAMILIES",
    "DWNNodes",
    "DWNStableNodes",
    "DiffLogicNodes",
    "FixedNodes",
    "FourierNodes",
    "HybridNodes",
    "LinearLUTNodes",
    "NeuraLUTNodes",
    "Nodes",
    "PolyLUTNodes",
    "ProbabilisticNodes",
    "WARPNodes",
]
