"""Boolean circuits of BLIF and AIGER: their outputs, numbers of them, and what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import run
from foreign_circuits import drawn_aiger, drawn_blif
from spoilt import byte_mutants, text_mutants
from tools import require_icarus, require_prover

import difflut
from difflut.errors import ConfigError, NetworkFileError
from difflut.export.interfaces.framing import Stream
from difflut.models import NetlistNetwork

SMALL = ".model m\n.inputs a b\n.outputs y\n.names a b y\n11 1\n.end\n"


def rows_of(inputs: int, seed: int = 0, count: int = 60) -> list[list[int]]:
    chance = random.Random(seed)
    return [[0] * inputs, [1] * inputs, *([chance.randint(0, 1) for _ in range(inputs)] for _ in range(count))]


def loaded(folder: Path, content: str | bytes, name: str = "net.x", **said: Any) -> NetlistNetwork:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    model = difflut.load_network(folder / name, **said)
    assert isinstance(model, NetlistNetwork)
    return model


def refused(folder: Path, content: str | bytes, **said: Any) -> str:
    with pytest.raises(NetworkFileError) as caught:
        loaded(folder, content, **said)
    return str(caught.value).removeprefix(f"{folder / 'net.x'}: ")


@pytest.mark.parametrize("seed", range(6))
def test_blif(tmp_path: Path, seed: int) -> None:
    circuit = drawn_blif(seed)
    model = loaded(tmp_path, circuit.text(seed))
    rows = rows_of(12, seed)
    logits = model(torch.tensor(rows))
    assert logits.tolist() == [circuit.values(row) for row in rows]
    numbers = [[b + 2 * a + 4 * c, z, x] for a, b, c, z, x in logits.int().tolist()]
    assert model.output_heads.decided(logits).tolist() == numbers
    assert model.names is not None and model.names.classes == ("y[1]", "y[0]", "y[2]", "z", "x[3]")


@pytest.mark.parametrize("seed", range(6))
def test_aiger(tmp_path: Path, seed: int) -> None:
    graph = drawn_aiger(seed)
    rows = rows_of(9, seed)
    expected = [graph.values(row) for row in rows]
    for content in (graph.ascii(seed), graph.ascii(scattered=False), graph.binary(), graph.binary("c\nwhatever\0")):
        assert loaded(tmp_path, content)(torch.tensor(rows)).tolist() == expected


def test_symbols_order_the_bits_of_ports(tmp_path: Path) -> None:
    graph = drawn_aiger(1)
    names = ["y[2]", "carry", "y[0]", "y[1]", "p", "q", "r", "s"]
    symbols = "".join(f"o{i} {name}\n" for i, name in enumerate(names))
    inputs = ["x[3]", "x[2]", "x[1]", "x[0]", "w", "x[5]", "x[4]", "v", "u"]
    symbols = "".join(f"i{i} {name}\n" for i, name in enumerate(inputs)) + symbols
    order = [3, 2, 1, 0, 6, 5, 4, 7, 8]
    rows = rows_of(9)
    for content in (graph.ascii(3, symbols), graph.binary(symbols + "c\n")):
        model = loaded(tmp_path, content)
        assert model.names is not None and model.names.features == tuple(inputs[i] for i in order)
        assert model.names.classes == ("y[0]", "y[1]", "y[2]", "carry", "p", "q", "r", "s")
        found = model(torch.tensor([[row[i] for i in order] for row in rows])).int().tolist()
        wanted = [graph.values(row) for row in rows]
        assert found == [[one[i] for i in (2, 3, 0, 1, 4, 5, 6, 7)] for one in wanted]


def test_numbers_by_widths(tmp_path: Path) -> None:
    circuit = drawn_blif(2)
    rows = rows_of(12)
    bits = [circuit.values(row) for row in rows]
    for numbers, decided in (
        ("none", bits),
        ("2,3s", [[a + 2 * b, c + 2 * d - 4 * e] for a, b, c, d, e in bits]),
        ("5x1", bits),
        ("2x2s,1", [[a - 2 * b, c - 2 * d, e] for a, b, c, d, e in bits]),
    ):
        model = loaded(tmp_path, circuit.text(), numbers=numbers)
        assert model.output_heads.decided(model(torch.tensor(rows))).tolist() == decided
    for numbers in ("2,2", "6", "0", "5y", "99", "-1", "", "5x2"):
        assert "--numbers" in refused(tmp_path, circuit.text(), numbers=numbers)


def test_models_in_models(tmp_path: Path) -> None:
    adder = (
        ".model top\n.inputs a b c\n.outputs s carry\n"
        ".subckt half x=a y=b s=h c=c1\n.subckt half x=h y=c s=s c=c2\n.names c1 c2 carry\n1- 1\n-1 1\n.end\n"
        ".model half\n.inputs x y\n.outputs s c\n.names x y i\n00 0\n11 0\n.conn i s\n.names x y c\n11 1\n"
    )
    model = loaded(tmp_path, adder)
    rows = [[a & 1, a >> 1 & 1, a >> 2] for a in range(8)]
    assert model(torch.tensor(rows)).tolist() == [[sum(row) % 2, sum(row) // 2] for row in rows]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".latch a y re c 0", "line 4: has .latch, a latch, which a combinational circuit has not"),
        (".names a b y\n11 1\n00 0", "line 6: rows of one .names give 0 and 1; expected its on-set or its off-set"),
        (".names a b y\n.names a y", "line 5: 'y' is driven twice"),
        (".names a b a\n11 1", "'a' is driven twice, or an input that is driven"),
        (".names a q y\n11 1", "'q' is read by 'y' and driven by nothing"),
        (".names a b q\n11 1", "the output 'y' is driven by nothing"),
        (".names y a q\n11 1\n.names q y", "has a cycle: y <- q; expected a circuit without"),
        (".names a b y\n1 1", "line 5: the row '1 1' of .names; expected 2 of 0, 1, - and one bit"),
        (".names a b y\n12 1", "line 5: the row '12 1' of .names; expected 2 of 0, 1, - and one bit"),
        (".subckt m a=a b=b y=y", "the model 'm' is inside of itself, or 100 others"),
        (".subckt n a=a y=y", "has a .subckt of the model 'n', which is not in the file"),
        (".mlatch dff", "line 4: has .mlatch, a latch of a cell library"),
        (".exdc", "line 4: has .exdc, external don't-cares, which are no circuit"),
        (".what", "line 4: '.what' is no line of BLIF that is read"),
        (".inputs a", "line 4: .inputs name 'a' twice"),
        ("11 1", "line 4: '11 1' belongs to no .names"),
    ],
)  # fmt: skip
def test_what_is_refused_of_blif(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, f".model m\n.inputs a b\n.outputs y\n{text}\n.end\n") == message


def test_models_of_models_are_counted_before_they_are_unfolded(tmp_path: Path) -> None:
    lines = [".model m0\n.inputs a\n.outputs y\n" + ".subckt m1 a=a y=y\n.subckt m1 a=a y=z\n.end"]
    for level in range(1, 40):
        parts = f".subckt m{level + 1} a=a y=y\n.subckt m{level + 1} a=a y=z" if level < 39 else ".names a y\n1 1"
        lines.append(f".model m{level}\n.inputs a\n.outputs y\n{parts}\n.end")
    assert refused(tmp_path, "\n".join(lines)) == "flattened it has 549755813888 .names; at most 4194304 are read"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"aag 1 0 1 0 0\n2 3\n", "line 1: 1 latches, which a combinational circuit has not"),
        (b"aag 3 2 0 1 1 1\n2\n4\n6\n6 2 4\n",
         "line 1: properties of a model checker (B, C, J, F); expected outputs only"),
        (b"aag 900 2 0 800 1\n", "line 1: claims 2 inputs, 800 outputs, 1 ands: more than it has"),
        (b"aig 100000000 1 0 0 99999999\n", "line 1: claims 1 inputs, 0 outputs, 99999999 ands: more than it has"),
        (b"aig 100000000 100000000 0 0 0\n", "line 1: claims 100000000 inputs, 0 outputs, 0 ands: more than it has"),
        (b"aag 3 2 0 1 2\n2\n4\n6\n6 2 4\n", "line 1: M is 3 for 2 inputs and 2 ands"),
        (b"aag 3 2 0 1 1\n2\n4\n6\n6 2 9\n", "line 5: literal 9; expected at most 7, as M is 3"),
        (b"aag 3 2 0 1 1\n2\n3\n6\n6 2 4\n", "line 4: inputs above are complemented, constant or listed twice"),
        (b"aag 3 2 0 1 1\n2\n4\n6\n4 2 2\n", "line 5: 4 is complemented, or defined twice"),
        (b"aag 4 2 0 1 2\n2\n4\n6\n6 8 4\n8 6 2\n", "has a cycle: 3 <- 4; expected a circuit without"),
        (b"aag 4 2 0 1 1\n2\n4\n6\n6 8 4\n", "variable 4, which and 3 reads, is not defined"),
        (b"aag 4 2 0 1 1\n2\n4\n8\n6 2 4\n", "variable 4, an output, is not defined"),
        (b"aig 3 2 0 1 1\n6\n\x07\x02", "byte 18: and 3 reads -1 and -3; expected smaller literals"),
        (b"aig 3 2 0 1 1\n6\n\xff\xff", "byte 18: a number that is cut off or too long; expected a whole file"),
        (b"aag 3 2 0 1 1\n2\n4\n6\n6 2 4\no1 y\n", "line 6: the symbol b'o1 y'; expected one of each input or output"),
        (b"aag 3 2 0 1 1\n2\n4\n6\n6 2 4\ni0 y\ni1 y\n", "line 7: a symbol of two inputs or two outputs"),
    ],
)  # fmt: skip
def test_what_is_refused_of_aiger(tmp_path: Path, content: bytes, message: str) -> None:
    assert refused(tmp_path, content) == message


def spoilt() -> Iterator[tuple[str, bytes]]:
    graph, circuit = drawn_aiger(1, 5, 20), drawn_blif(1, 6, 8)
    for number, content in enumerate((graph.ascii(1, "i0 a\no0 y[0]\n"), graph.binary("o1 y\nc\n"))):
        yield from byte_mutants(content, number, 80)
    yield from text_mutants(circuit.text().encode(), 3)
    yield from byte_mutants(circuit.text().encode(), 3, 60)


def test_spoilt_files_give_a_network_or_one_message(tmp_path: Path) -> None:
    ends = {True: 0, False: 0}
    for label, content in spoilt():
        try:
            model = loaded(tmp_path, content)
        except NetworkFileError as error:
            assert str(error).startswith(f"{tmp_path / 'net.x'}: ") and len(str(error)) < 1000, label
            ends[False] += 1
        else:
            model(torch.zeros(1, model.input_size, dtype=torch.int32))
            ends[True] += 1
    assert min(ends.values()) > 10 and ends[False] > 100, ends


def test_it_is_a_model_like_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_icarus()
    require_prover()
    (tmp_path / "net.blif").write_text(drawn_blif(4).text())
    out = tmp_path / "net.safetensors"
    status, printed, _ = run(capsys, "import", tmp_path / "net.blif", "--out", out, "--numbers", "names")
    assert status == 0 and "5 bits" in printed
    model = difflut.load_model(str(tmp_path / "net.safetensors"))
    assert model.output_heads.measure == "accuracy"
    rows = torch.tensor(rows_of(12))
    data = (rows, model.output_heads.decided(model(rows)))
    build = difflut.export_model(model, tmp_path / "build")
    head = json.loads((tmp_path / "build/build.json").read_text())["output"]["heads"][0]
    assert head["kind"] == "bits" and "y is the unsigned number of scores 1, 0, 2" in head["meaning"]
    assert build.info.output.best is None and build.info.output.scores is not None
    assert build.info.output.scores.width_bits == 1
    assert difflut.verify(build, data, simulator="icarus").ok
    assert difflut.prove(build).ok
    with pytest.raises(ConfigError, match="given, not trained"):
        model.output_heads.loss(model(rows), data[1])


@pytest.mark.parametrize("registers", ["none", "full"])
def test_bits_behind_streams_and_in_a_report(tmp_path: Path, registers: str) -> None:
    require_icarus()
    require_prover()
    (tmp_path / "net.blif").write_text(drawn_blif(4).text())
    model = difflut.load_network(tmp_path / "net.blif", numbers="names")
    options = {"interface": "axi-stream", "stream": Stream(registers=registers)}
    build = difflut.export_model(model, tmp_path / "build", **options)
    rows = torch.tensor(rows_of(12))
    data = (rows, model.output_heads.decided(model(rows)))
    assert difflut.verify(build, data, simulator="icarus").ok
    assert difflut.prove(build).ok
    assert "y is the unsigned number of scores 1, 0, 2" in (tmp_path / "build" / "README.md").read_text()
    page = difflut.report(build, tmp_path / "report.html").path.read_text()
    assert build.info.model.name in page and "AXI4-Stream" in page
