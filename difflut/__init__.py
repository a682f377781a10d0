"""LUT networks in PyTorch, exported as verified FPGA circuits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from difflut._version import __version__

if TYPE_CHECKING:
    from difflut.compiled import compile
    from difflut.door import export_model, play, prove, report, synthesise, verify
    from difflut.encoders import DistributiveThermometer, GaussianThermometer, Thermometer
    from difflut.export.builds.make import make_build
    from difflut.export.exchange.make import export_netlist
    from difflut.export.frontend.trace import trace
    from difflut.heads import Bits, GroupSum, NumberSum, ThresholdSum
    from difflut.importers import from_netlist, from_tables, load_network
    from difflut.input_format import InputFormat
    from difflut.layers import ConvLUTLayer, LayerConfig, LUTLayer, MajorityPool, OrPool
    from difflut.models import BaseModel, get_model, list_models, load_model
    from difflut.searching import search
    from difflut.sizing import estimate
    from difflut.stored_build import StoredBuild

__all__ = [
    "BaseModel",
    "Bits",
    "ConvLUTLayer",
    "DistributiveThermometer",
    "GaussianThermometer",
    "GroupSum",
    "InputFormat",
    "LUTLayer",
    "LayerConfig",
    "MajorityPool",
    "NumberSum",
    "OrPool",
    "StoredBuild",
    "Thermometer",
    "ThresholdSum",
    "__version__",
    "compile",
    "estimate",
    "export_model",
    "export_netlist",
    "from_netlist",
    "from_tables",
    "get_model",
    "list_models",
    "load_model",
    "load_network",
    "make_build",
    "play",
    "prove",
    "report",
    "search",
    "synthesise",
    "trace",
    "verify",
]

_MODULES = {
    "difflut.encoders": ("DistributiveThermometer", "GaussianThermometer", "Thermometer"),
    "difflut.compiled": ("compile",),
    "difflut.door": ("export_model", "play", "prove", "synthesise", "verify"),
    "difflut.export.builds.make": ("make_build",),
    "difflut.export.exchange.make": ("export_netlist",),
    "difflut.export.frontend.trace": ("trace",),
    "difflut.heads": ("Bits", "GroupSum", "NumberSum", "ThresholdSum"),
    "difflut.importers": ("from_netlist", "from_tables", "load_network"),
    "difflut.input_format": ("InputFormat",),
    "difflut.layers": ("ConvLUTLayer", "LUTLayer", "LayerConfig", "MajorityPool", "OrPool"),
    "difflut.models": ("BaseModel", "get_model", "list_models", "load_model"),
    "difflut.searching": ("search",),
    "difflut.sizing": ("estimate",),
    "difflut.stored_build": ("StoredBuild",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Deferred, because the export side imports this package and must not import torch.
    if name == "report":  # the package, which can be called
        return import_module("difflut.report")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'difflut' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
