"""LUT networks in PyTorch, exported as verified FPGA circuits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from difflut._version import __version__

if TYPE_CHECKING:
    from difflut.models import get_model, list_models

__all__ = ["__version__", "get_model", "list_models"]


def __getattr__(name: str) -> Any:
    # Deferred, because the export side imports this package and must not import torch.
    if name in ("get_model", "list_models"):
        import difflut.models

        return getattr(difflut.models, name)
    raise AttributeError(f"module 'difflut' has no attribute {name!r}")
