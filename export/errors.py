"""Exceptions of the export side (free of torch)."""

from __future__ import annotations

from difflut.errors import DifflutError


class ExportError(DifflutError):
    """Base class of the errors of tracing, passes, back-ends and bundles."""


class TraceError(ExportError):
    """The model's forward uses an operation that has no circuit; names the operator and the source line."""


class SelfCheckError(ExportError):
    """What an export would write does not compute what the model does; names what differs."""


class NetlistError(ExportError, ValueError):
    """A netlist breaks a well-formedness rule; names the rule and the place."""


class NetlistSyntaxError(NetlistError):
    """The text form of a netlist cannot be parsed; names the line."""


class BundleError(ExportError):
    """A build directory is missing, incomplete, stale or edited."""


class ToolError(ExportError):
    """An external tool is missing, too old, or failed; keeps the command and the log's path."""
