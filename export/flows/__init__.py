"""Flows: external tools that turn a build directory into a circuit of real cells, by name.

Every flow takes a build directory and options of its own and returns a report with `to_json()`.
"""

from __future__ import annotations

from difflut.export.flows import yosys

FLOWS = {"yosys": yosys.synthesise}

__all__ = ["FLOWS"]
