"""Designs with changed texts: what a fault in the emitted Verilog would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from difflut.export.verilog.design import Design


def edited(design: Design, files: Mapping[str, str]) -> Design:
    """The design with other texts in some of its files."""
    assert files.keys() <= design.files.keys()
    modules = [replace(module, text=files.get(f"{module.name}.v", module.text)) for module in design.modules]
    return replace(design, modules=tuple(modules))
