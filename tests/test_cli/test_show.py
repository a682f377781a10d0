"""`difflut show`: the function of a node, in words that are checked against the netlist, and its picture."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import run
from report_builds import export
from small_models import Chain, Moves, fitted

from difflut.export.builds import store
from difflut.export.builds.store import Build
from difflut.export.circuit.simulate import simulate_nets
from difflut.inspect.circuits import open_circuit


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show") / "netz größe"
    export(fitted(Chain(4, ((12, 3), (8, 4)), 4)), folder)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show") / "moves"
    export(fitted(Moves()), folder)
    return folder


def value(function: str, bits: list[bool]) -> bool:
    """A sum of products as `show` prints it, at the given inputs a, b, ..."""
    if function in ("0", "1"):
        return function == "1"
    return any(
        all(bits[ord(factor[0]) - ord("a")] == (len(factor) == 1) for factor in product.split())
        for product in function.split(" + ")
    )


def test_the_words_say_what_the_node_computes(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Inputs by name, function and table give the node's value on random codes, for every node of the second layer."""
    netlist = store.read(build).circuit.body
    codes = np.random.default_rng(0).integers(0, 256, (50, 4))
    nets = simulate_nets(netlist, codes)
    named = {
        f"L{layer}.{node}": netlist.first_lut_net + lut
        for lut, (layer, node) in enumerate(zip(netlist.lut_layer.tolist(), netlist.lut_node.tolist(), strict=True))
    }
    counted = np.repeat(np.arange(4), np.diff(netlist.head.offsets))
    for name, net in named.items():
        status, out, _ = run(capsys, "show", build, "--node", name, "--json")
        facts = json.loads(out)
        assert status == 0 and (facts["node"], facts["net"]) == (name, net)
        for row in range(len(codes)):
            bits = []
            for source in facts["inputs"]:
                if source in named:
                    bits.append(bool(nets[row, named[source]]))
                else:
                    feature, threshold = map(int, re.fullmatch(r"feature (\d+) >= (\d+)", source).groups())  # type: ignore[union-attr]
                    bits.append(bool(codes[row, feature] >= threshold))
            address = sum(bit << i for i, bit in enumerate(bits))
            expected = bool(nets[row, net])
            assert bool(int(facts["table"], 16) >> address & 1) == expected
            assert value(facts["function"], bits) == expected
        assert facts["minimal"] and facts["entries"] == 1 << len(facts["inputs"])
        assert facts["votes"] == {
            str(k): int(count) for k, count in enumerate(np.bincount(counted[netlist.head.nets == net])) if count
        }
        for reader in facts["readers"]:
            assert net in netlist.fanin(named[reader] - netlist.first_lut_net)
        assert facts["activity"] is None


def test_what_a_node_reaches(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counted bits that change when the node is inverted, on all comparator patterns, are among those it reaches."""
    netlist = store.read(build).circuit.body
    codes = np.array(list(itertools.product((0, 60, 120, 180, 255), repeat=4)))
    group = np.repeat(np.arange(4), np.diff(netlist.head.offsets))
    total = 0
    for node in netlist.lut_node[netlist.lut_layer == 1].tolist()[:4]:
        _, out, _ = run(capsys, "show", build, "--node", f"L1.{node}", "--json")
        facts = json.loads(out)
        lut = facts["net"] - netlist.first_lut_net
        tables = netlist.lut_tables.copy()
        tables[netlist.table_offsets[lut]] ^= np.uint64((1 << facts["entries"]) - 1)
        changed = (simulate_nets(netlist, codes) != simulate_nets(netlist.with_(lut_tables=tables), codes)).any(axis=0)
        seen = np.bincount(group[changed[netlist.head.nets]], minlength=4)
        assert (seen <= np.array(facts["reaches"])).all()
        assert sum(facts["reaches"]) <= len(netlist.head.nets)
        total += int(seen.sum())
    assert total > 0


def test_a_picture_of_the_cone(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kegel ü.svg"
    circuit = open_circuit(str(images))
    node = f"L2.{circuit.netlist.lut_node[circuit.netlist.lut_layer == 2][-1]}"
    status, out, _ = run(capsys, "show", images, "--node", node, "--depth", 3, "--out", file)
    assert status == 0 and f"  picture    {file}\n" in out
    root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    labels = [text.text for text in root.iter(f"{space}text")]
    reads = re.findall(r"input \d = \w  (.*)", out)
    assert reads and all(name in labels for name in reads)
    assert any(re.fullmatch(r"pixel \(\d, \d\) >= \d+", str(label)) for label in labels)
    boxes, wires = list(root.iter(f"{space}rect")), list(root.iter(f"{space}path"))
    assert len({(box.get("x"), box.get("y")) for box in boxes}) == len(boxes)
    nodes = [label for label in labels if re.fullmatch(r"L\d+\.\d+", str(label))]
    from difflut.export.circuit.names import find_node

    assert len(wires) == sum(len(circuit.netlist.fanin(find_node(circuit.netlist, str(name)))) for name in nodes)
    shallow = tmp_path / "flat.svg"
    assert run(capsys, "show", images, "--node", node, "--depth", 1, "--out", shallow)[0] == 0
    assert len(list(ElementTree.fromstring(shallow.read_text(encoding="utf-8")).iter(f"{space}path"))) == len(reads)


def test_a_zoo_model_and_its_test_images(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "show", "mnist_bitflip_0", "--node", "L2.17", "--json")
    activity = json.loads(out)["activity"]
    assert status == 0 and activity["data"] == "MNIST test images" and activity["samples"] == 1000
    assert 0 < activity["share"] < 1 and len(activity["by_class"]) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--node", "37"),
            (
                r"node '37': expected L<layer>\.<node>, such as L1\.\d+; there are L1\.\d+ to L1\.\d+ "
                r"\(\d+ nodes\); L2\.0 to"
            ),
        ),
        (("--node", "L3.0"), r"node 'L3\.0': there is no layer 3; there are L1\.\d+ to"),
        (("--node", "L2.8"), r"node 'L2\.8': layer 2 has no node 8; there are L1\.\d+ to"),
        (
            ("--node", "L2.1", "--out", "cone.png"),
            "--out cone.png: the picture is SVG; give a file name that ends in .svg",
        ),
        (("--node", "L2.1", "--out", "no/cone.svg"), "cannot write no/cone.svg: No such file or directory"),
    ],
)
def test_usage_errors(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "show", build, *arguments)
    assert (status, out) == (2, "")
    assert re.match(f"error: {message}", err), err


def test_a_node_that_the_passes_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from difflut.export.builds.make import make_build
    from difflut.export.circuit.circuit import Circuit
    from difflut.export.circuit.text import to_text

    made = make_build(fitted(Chain()))
    netlist = made.circuit.body
    nodes = netlist.lut_node.copy()
    nodes[(netlist.lut_layer == 2) & (nodes == 3)] = 9  # L2.3 is no more, L2.9 is
    files = {**made.files, store.NETLIST_FILE: to_text(Circuit.of(netlist.with_(lut_node=nodes))).encode()}
    store.write(Build.of(made.info, files), tmp_path / "net")
    status, _, err = run(capsys, "show", tmp_path / "net", "--node", "L2.3")
    assert status == 2
    start = (
        "error: node 'L2.3' is not in the circuit: the passes removed it, as a wire, a constant, equal to "
        "another, unread or absorbed; "
    )
    assert err.startswith(f"{start}nearest: L2.") and err.endswith("\n")
    named = err.removeprefix(f"{start}nearest: ").split()
    assert len(named) == 3
    assert all(run(capsys, "show", tmp_path / "net", "--node", name.strip(","))[0] == 0 for name in named)


def test_builds_that_cannot_be_used(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "show", tmp_path, "--node", "L1.0")
    assert status == 2 and "has no build.json" in err
    shutil.copytree(build, tmp_path / "net")
    with (tmp_path / "net" / "rtl" / "chain.v").open("a") as file:
        file.write("// edited\n")
    status, _, err = run(capsys, "show", tmp_path / "net", "--node", "L1.0")
    assert status == 2 and "differs from what was exported" in err
    status, _, err = run(capsys, "show", "mnist_fc_8k_dwm", "--node", "L1.0")
    assert status == 2 and "did you mean mnist_fc_8k_dwn" in err
