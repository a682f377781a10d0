"""The rooms of export/ stand in an order, and none reaches for a later one; nothing imports itself in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The way of a model: a room may import itself and the rooms before it.
ORDER = (
    "errors",
    "circuit",
    "families",
    "frontend",
    "passes",
    "schedule",
    "verilog",
    "interfaces",
    "builds",
    "flows",
    "proof",
)


def module_name(path: Path) -> str:
    """The dotted name by which a file of the repository is imported."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "difflut":
        parts.insert(0, "difflut")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def product_modules() -> dict[str, Path]:
    """Every module of the product and its file."""
    files = [
        path for top in ("difflut", "export", "sim", "hdl_templates") for path in sorted((ROOT / top).rglob("*.py"))
    ]
    return {module_name(path): path for path in files if not {"export", "sim"} & set(path.relative_to(ROOT).parts[1:2])}


MODULES = product_modules()


def imports(path: Path, everywhere: bool = True) -> Iterator[str]:
    """The modules of the product that a file imports; `everywhere`: inside of functions and for types too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in MODULES:
            submodules = [f"{node.module}.{name.name}" for name in node.names]
            yield from (name for name in submodules if name in MODULES)
            if not all(name in MODULES for name in submodules):
                yield str(node.module)


def room(module: str) -> str:
    """The room of a module of difflut.export."""
    return module.split(".")[2]


def exported_modules() -> list[str]:
    return sorted(name for name in MODULES if name.startswith("difflut.export."))


@pytest.mark.parametrize("module", exported_modules())
def test_no_import_runs_back_up(module: str) -> None:
    allowed = ORDER[: ORDER.index(room(module)) + 1]
    wrong = [
        name for name in imports(MODULES[module]) if name.startswith("difflut.export.") and room(name) not in allowed
    ]
    assert wrong == [], f"{module} is in {room(module)}, which comes before"


def test_every_room_is_in_the_order() -> None:
    assert {room(module) for module in exported_modules()} == set(ORDER)


def test_there_is_no_circle() -> None:
    """Of what is imported when a module is loaded."""
    graph = {name: set(imports(path, everywhere=False)) - {name} for name, path in MODULES.items()}
    while leaves := [name for name, needed in graph.items() if not needed & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, "modules that import each other, or are imported by such: " + ", ".join(sorted(graph))
