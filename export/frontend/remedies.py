"""What to write in place of operators and modules that bits have no circuit for."""

from __future__ import annotations

import linecache
from types import TracebackType

from torch import nn

from difflut.models.base_model import BaseModel

_NORM = ": bits need no normalisation; leave it out, or stabilise the gradient by LUTLayer(..., gradient='layerwise')"
_WEIGHTS = ": weighted sums of bits have no look-up; use a LUTLayer, or a ConvLUTLayer for a convolution"
_ARITHMETIC = ": a LUT does arithmetic on bits; join them by torch.cat and let a LUTLayer read both"
_COUNT = ": bits are counted by GroupSum only, at the end"
_ACTIVATION = ": a LUT is its own activation; leave it out"
_POOL = ": pooling of bits is OrPool or MajorityPool"

# By the beginning of the name, in lower case, of an operator without its underscores, or of a module of PyTorch.
_REMEDIES: tuple[tuple[str, str], ...] = (
    *((name, _NORM) for name in ("batch_norm", "batchnorm", "native_batch", "layer_norm", "layernorm", "group_norm")),
    *((name, _NORM) for name in ("groupnorm", "native_group", "native_layer", "instance_norm", "instancenorm")),
    *((name, _POOL) for name in ("max_pool", "maxpool", "avg_pool", "avgpool", "adaptive")),
    *((name, _WEIGHTS) for name in ("linear", "addmm", "matmul", "mm", "bmm", "einsum", "conv", "bilinear")),
    *((name, _COUNT) for name in ("sum", "mean", "cumsum", "count")),
    *((name, _ACTIVATION) for name in ("relu", "leaky", "prelu", "sigmoid", "tanh", "gelu", "silu", "elu", "hard")),
    *((name, _ARITHMETIC) for name in ("add", "sub", "rsub", "mul", "div", "and", "or", "xor", "iand", "ior", "ixor")),
    *((name, _ARITHMETIC) for name in ("bitwise", "logical", "maximum", "minimum", "where", "eq", "ne", "gt", "lt")),
)


def remedy(name: str) -> str:
    """What to do instead, for an operator or a module of that name; empty if nothing is known."""
    plain = name.lower().lstrip("_").removeprefix("aten.").lstrip("_")
    return next((words for start, words in _REMEDIES if plain.startswith(start)), "")


def module_at_fault(trace: TracebackType | None) -> str | None:
    """The name of PyTorch's module that was called last before an exception; None if it was none."""
    found = None
    while trace is not None:
        module = trace.tb_frame.f_locals.get("self")
        if isinstance(module, nn.Module) and not isinstance(module, BaseModel) and _of_torch(type(module).__module__):
            found = type(module).__name__
        trace = trace.tb_next
    return found


def line_at_fault(trace: TracebackType | None) -> str:
    """The last line that led to an exception and is neither PyTorch's nor difflut's, or nothing."""
    found = ""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not _of_torch(name) and name.partition(".")[0] not in ("difflut", "contextlib", "functools"):
            file = trace.tb_frame.f_code.co_filename
            code = linecache.getline(file, trace.tb_lineno).strip()
            found = f"\n  at {file}, line {trace.tb_lineno}: {code}"
        trace = trace.tb_next
    return found


def _of_torch(module: str) -> bool:
    return module.partition(".")[0] == "torch"
