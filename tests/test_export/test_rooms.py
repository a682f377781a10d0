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
    "engine",
    "schedule",
    "verilog",
    "interfaces",
    "builds",
    "exchange",
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


# What tells the forms of a circuit apart, as attributes, local names and classes. Rooms that define it may ask.
FORM_ATTRIBUTES = {"layers", "maps", "pixels", "folded", "program", "image", "windowed"}
FORM_NAMES = {"pixels", "folded"}
FORM_CLASSES = {"Streamed", "FoldedStream", "Pixels", "WholeSamples", "PixelFraming", "Streaming", "Folded"}
FORM_ROOMS = ("export/circuit", "export/frontend", "export/schedule", "difflut/layers")
FORM_FILES = ("export/builds/info.py",)


def asks_form(test: ast.expr) -> bool:
    """Whether a condition is what form a circuit has."""
    if isinstance(test, ast.NamedExpr):
        return asks_form(test.value)
    if isinstance(test, ast.UnaryOp):
        return asks_form(test.operand)
    if isinstance(test, ast.BoolOp):
        return any(map(asks_form, test.values))
    if isinstance(test, ast.Compare):
        return asks_form(test.left) and any(
            isinstance(side, ast.Constant) and side.value is None for side in test.comparators
        )
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance":
        return any(isinstance(node, ast.Name) and node.id in FORM_CLASSES for node in ast.walk(test.args[1]))
    if isinstance(test, ast.Attribute):
        return test.attr in FORM_ATTRIBUTES
    return isinstance(test, ast.Name) and test.id in FORM_NAMES


def form_questions(text: str) -> list[int]:
    """The lines that branch on the form of a circuit."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            found.append(node.test)
        elif isinstance(node, ast.comprehension):
            found += node.ifs
    return [test.lineno for test in found if asks_form(test)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("if info.pixels:\n    pass", 1),
        ("x = 1 if build.info.pixels is None else 2", 1),
        ("while not circuit.layers and y:\n    pass", 1),
        ("z = [x for x in y if isinstance(x, (int, Streamed))]", 1),
        ("if (program := pixels.program) is not None:\n    pass", 1),
        ("if len(facts.pixels_read) > 2 or isinstance(x, int):\n    pass", 0),
        ("layers = circuit.layers", 0),
    ],
)
def test_form_questions_are_found(text: str, count: int) -> None:
    assert len(form_questions(text)) == count


def test_few_places_ask_what_form_a_circuit_has() -> None:
    """A form is an object that answers. Conditions of templates are not counted."""
    asked = {}
    for top in ("difflut", "export", "sim"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_symlink() or name.startswith(FORM_ROOMS) or name in FORM_FILES:
                continue
            if lines := form_questions(path.read_text(encoding="utf-8")):
                asked[name] = lines
    assert sum(map(len, asked.values())) <= 12, asked
