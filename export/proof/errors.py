"""What goes wrong with a proof itself; a refuted claim is no error but a result."""

from __future__ import annotations

from difflut.export.errors import ExportError


class ProofError(ExportError):
    """The RTL cannot be read as a synchronous circuit; names the cell or signal."""
