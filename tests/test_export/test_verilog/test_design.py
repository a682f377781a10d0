"""What a `Design` says of its modules is what Yosys reads in their texts: ports, widths, directions, instances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from convolutions import Plan, Step, made
from netlists import layered_netlist
from yosys import run_yosys

from difflut.export.circuit.netlist import InputFormat, Netlist, NetlistBuilder
from difflut.export.families.registry import find_family
from difflut.export.frontend.trace import trace_circuit
from difflut.export.passes import pipelines
from difflut.export.passes.assign_stages import assign_stages
from difflut.export.schedule.folded.plan import fold_dense
from difflut.export.schedule.head.outputs import Outputs, parse_outputs
from difflut.export.schedule.stream.plan import plan_schedule, stage_kernels
from difflut.export.verilog.clock_enable import with_clock_enable
from difflut.export.verilog.design import Design, Module
from difflut.export.verilog.netlist import emit
from difflut.export.verilog.stream import emit_folded, emit_stream

FAMILIES = ("generic", "xc7", "xcup", "ecp5")
PRIMITIVES = {"LUT6", "LUT6_2", "CARRY4", "CARRY8"}
IMAGES = Plan(
    (2, 6, 6),
    (Step(4, (3, 3), padding=(1, 1), depth=2), Step(0, (2, 2), (2, 2)), Step(6, (3, 3), padding=(1, 1))),
    read=(1, 3),
    bits=2,
    widths=(20, 10, 16),
)


def whole(classes: int = 4) -> Netlist:
    """Two layers of a few small LUTs, some of which pair."""
    return layered_netlist((20, 16), n=3, features=4, width_bits=4, comparators=12, classes=classes)


def constants() -> Netlist:
    """Nothing is compared and there is no LUT."""
    return NetlistBuilder("constants", InputFormat(2, 3)).finish([[0], [1]])


def designs(fpga: str) -> Iterator[Design]:
    """Every form, with a name of its own."""
    family = find_family(fpga)
    for text in ("both", "scores", "class", "top-3"):
        name = f"{fpga}_whole_{text.replace('-', '')}"
        yield emit(assign_stages(whole()), family, outputs=parse_outputs(text, 4), top=name)
    yield emit(assign_stages(whole(1)), family, top=f"{fpga}_single")
    head = (False,) * len(emit(whole(), family).head.registers)
    yield emit(whole(), family, head_registers=head, top=f"{fpga}_combinational")
    yield emit(constants(), family, top=f"{fpga}_constants")
    circuit = stage_kernels(pipelines.run(trace_circuit(made(IMAGES)), pipelines.default(family))[0])
    staged = replace(circuit, body=assign_stages(circuit.body))
    for pixels in (1, 2, 6):
        yield emit_stream(staged, plan_schedule(staged, pixels), family, top=f"{fpga}_stream{pixels}")
    for nodes, outputs in ((1, Outputs()), (3, Outputs(best=False))):
        folded = fold_dense(circuit, plan_schedule(circuit), nodes)
        yield emit_folded(circuit, folded, family, outputs=outputs, top=f"{fpga}_folded{nodes}")
    yield with_clock_enable(emit(assign_stages(whole()), family, top=f"{fpga}_enabled"))
    yield with_clock_enable(emit(whole(), family, head_registers=head, top=f"{fpga}_enabled_combinational"))
    yield with_clock_enable(emit_stream(staged, plan_schedule(staged, 2), family, top=f"{fpga}_enabled_stream"))
    folded = fold_dense(circuit, plan_schedule(circuit), 3)
    yield with_clock_enable(emit_folded(circuit, folded, family, top=f"{fpga}_enabled_folded"))


@cache
def all_designs() -> tuple[Design, ...]:
    return tuple(design for fpga in FAMILIES for design in designs(fpga))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every module of every design as Yosys reads it."""
    folder = tmp_path_factory.mktemp("read")
    return modules_read(all_designs(), folder)


def modules_read(some: tuple[Design, ...], folder: Path) -> dict[str, Any]:
    files = {name: text for design in some for name, text in design.files.items()}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    run_yosys([*(f"read_verilog {name}" for name in files), "proc", "write_json read.json"], folder)
    return dict(json.loads((folder / "read.json").read_text())["modules"])


def ports_read(module: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(name, port["direction"], len(port["bits"])) for name, port in module["ports"].items()]


def instances_read(module: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """Module and connected ports of each instance of a module of the design."""
    return {
        name: (cell["type"], sorted(cell["connections"]))
        for name, cell in module["cells"].items()
        if not cell["type"].startswith("$") and cell["type"] not in PRIMITIVES
    }


def difference(module: Module, text: dict[str, Any]) -> str:
    """What the text has otherwise than the module says; empty if nothing."""
    ports = [(port.name, port.direction, port.width_bits) for port in module.ports]
    if sorted(ports) != sorted(ports_read(text)):
        return f"{module.name}: ports {ports}, in the text {ports_read(text)}"
    instances = {item.name: (item.module, sorted(item.connections)) for item in module.instances}
    if instances != instances_read(text):
        return f"{module.name}: instances {instances}, in the text {instances_read(text)}"
    return ""


def test_modules_are_what_their_texts_are(read: dict[str, Any]) -> None:
    modules = [module for design in all_designs() for module in design.modules]
    assert {module.name for module in modules} == read.keys()
    assert [text for text in (difference(module, read[module.name]) for module in modules) if text] == []


def test_instances_connect_every_port(read: dict[str, Any]) -> None:
    for design in all_designs():
        for module in design.modules:
            for instance in module.instances:
                ports = [port.name for port in design.module(instance.module).ports]
                assert sorted(instance.connections) == sorted(ports), (module.name, instance.name)


def at(design: Design, path: str) -> Module:
    """The module at a hierarchical name below the top."""
    module = design.module(design.top)
    for name in path.split("."):
        module = design.module(next(item.module for item in module.instances if item.name == name))
    return module


def test_parts_and_probes_are_there() -> None:
    for design in all_designs():
        for paths in design.parts.values():
            assert len({at(design, path).name for path in paths}) == 1, "the instances of a part are alike"
        for probe in design.probes:
            path, _, port = probe.signal.rpartition(".")
            widths = [port_.width_bits for port_ in at(design, path).ports if port_.name == port]
            assert widths == [len(probe.nets)]


def test_parts_of_each_form() -> None:
    parts = {design.top: design.parts for design in all_designs() if design.top.startswith("xcup")}
    assert parts["xcup_whole_both"] == {
        "encoder": ("encoder",),
        "stage 2": ("stage2",),
        "stage 3": ("stage3",),
        "group sum": ("group_sum",),
        "argmax": ("argmax",),
    }
    assert list(parts["xcup_whole_top3"])[-1] == "top-k"
    assert list(parts["xcup_constants"]) == ["group sum", "argmax"]
    stream = parts["xcup_stream2"]
    assert {"encoder", "layer 1", "kernel 3", "body", "body, encoder", "body, group sum"} <= stream.keys()
    assert stream["kernel 1"] == ("map1.kernel0", "map1.kernel1")
    assert stream["body, group sum"] == ("dense.group_sum",)
    assert parts["xcup_folded1"]["body"] == ("dense",) and "body, argmax" in parts["xcup_folded1"]


def test_every_module_is_used_once_written() -> None:
    for design in all_designs():
        used = {design.top} | {item.module for module in design.modules for item in module.instances}
        assert used == {module.name for module in design.modules}
        assert list(design.files) == sorted(f"{module.name}.v" for module in design.modules)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("generic_single_encoder", "input wire [15:0] in_codes", "input wire [16:0] in_codes"),
        ("generic_single_encoder", "output reg", "input wire"),
        ("generic_single_encoder", "out_bits", "out_bit"),
        ("generic_single", "generic_single_encoder encoder", "generic_single_stage2 encoder"),
        ("generic_single", "encoder (", "coder ("),
        ("generic_single", "      .clk(clk),\n      .in_codes", "      .in_codes"),
    ],
    ids=["width", "direction", "name", "module", "instance", "connection"],
)
def test_a_text_that_is_otherwise_is_noticed(file: str, old: str, new: str, tmp_path: Path) -> None:
    design = next(design for design in all_designs() if design.top == "generic_single")
    module = design.module(file)
    wrong = replace(module, text=module.text.replace(old, new))
    assert wrong.text != module.text
    read = modules_read((replace(design, modules=(wrong,)),), tmp_path)
    assert difference(module, read[file])
