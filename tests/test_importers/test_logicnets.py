"""Case tables of LogicNets' Verilog: every code of drawn networks, wide neurons, and what is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

import difflut
from difflut.errors import NetworkFileError

Neuron = tuple[list[int], list[int]]  # bits of the layer's input, the most significant one first; values by address


def drawn(seed: int, inputs: int = 12, layers: tuple[tuple[int, int, int], ...] = ((6, 4, 2), (4, 10, 2), (3, 6, 3))):
    """Layers of neurons: how many, bits that each reads, bits that each gives."""
    chance = random.Random(seed)
    found: list[list[Neuron]] = []
    for count, n, width in layers:
        reads = [chance.sample(range(inputs), min(n, inputs)) for _ in range(count)]
        found.append([(bits, [chance.randrange(1 << width) for _ in range(1 << len(bits))]) for bits in reads])
        inputs = count * width
    return found, [width for _, _, width in layers]


def codes_of(layers: list[list[Neuron]], widths: list[int], row: list[int]) -> list[int]:
    """The bits of the last layer, the lowest of neuron 0 first."""
    for neurons, width in zip(layers, widths, strict=True):
        values = [table[int("".join(str(row[bit]) for bit in reads), 2)] for reads, table in neurons]
        row = [value >> bit & 1 for value in values for bit in range(width)]
    return row


def files(layers: list[list[Neuron]], widths: list[int], inputs: int = 12, base: str = "b") -> dict[str, str]:
    """As LogicNets writes them; with base "h" numbers are hexadecimal."""
    found, kind = {}, {"b": "b", "h": "x"}[base]
    width_in = inputs
    top = []
    for i, (neurons, width) in enumerate(zip(layers, widths, strict=True)):
        body = ""
        for j, (reads, table) in enumerate(neurons):
            n, own, high = len(reads), f"layer{i}_N{j}", j * width + width - 1
            body += f"wire [{n - 1}:0] layer{i}_{j}_wire = {{{', '.join(f'M0[{bit}]' for bit in reads)}}};\n"
            body += f"{own} {own}_inst (.M0(layer{i}_{j}_wire), .M1(M1[{high}:{j * width}]));\n"
            entries = [f"{n}'{base}{a:{kind}}: M1r = {width}'{base}{v:{kind}};" for a, v in enumerate(table)]
            found[f"{own}.v"] = (
                f"module {own} ( input [{n - 1}:0] M0, output [{width - 1}:0] M1 );\n\n"
                f'\t(*rom_style = "distributed" *) reg [{width - 1}:0] M1r;\n\tassign M1 = M1r;\n'
                "\talways @ (M0) begin\n\t\tcase (M0)\n\t\t\t"
                + "\n".join(entries)
                + "\n\t\tendcase\n\tend\nendmodule\n"
            )
        out = len(neurons) * width
        ports = f"input [{width_in - 1}:0] M0, output [{out - 1}:0] M1"
        found[f"layer{i}.v"] = f"module layer{i} ({ports});\n\n{body}endmodule\n"
        register = f".data_in(M{i}), .clk(clk), .rst(rst), .data_out(M{i}w)"
        top += [f"wire [{width_in - 1}:0] M{i}w;", f"myreg #(.DataWidth({width_in})) layer{i}_reg ({register});"]
        if i < len(layers) - 1:
            top.append(f"wire [{out - 1}:0] M{i + 1};")
        top.append(f"layer{i} layer{i}_inst (.M0(M{i}w), .M1(M{i + 1}));")
        width_in = out
    ports = f"input [{inputs - 1}:0] M0, input clk, input rst, output[{width_in - 1}:0] M{len(layers)}"
    found["logicnet.v"] = f"module logicnet ({ports});\n" + "\n".join(top) + "\n\nendmodule\n"
    found["myreg.v"] = "module myreg #(parameter DataWidth = 16) (...);\nendmodule\n"
    return found


def loaded(folder: Path, texts: dict[str, str], **said: Any) -> difflut.BaseModel:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return difflut.load_network(folder / "logicnet.v", **said)


@pytest.mark.parametrize("seed", range(4))
def test_codes(tmp_path: Path, seed: int) -> None:
    layers, widths = drawn(seed)
    model = loaded(tmp_path, files(layers, widths, base="bh"[seed % 2]), numbers="3x3s")
    chance = random.Random(seed)
    rows = [[chance.randint(0, 1) for _ in range(12)] for _ in range(200)]
    bits = model(torch.tensor(rows)).int().tolist()
    assert bits == [codes_of(layers, widths, row) for row in rows]
    decided = model.output_heads.decided(model(torch.tensor(rows))).tolist()
    assert decided == [[a + 2 * b - 4 * c for a, b, c in zip(*[iter(row)] * 3, strict=True)] for row in bits]


def test_one_file_has_all_modules(tmp_path: Path) -> None:
    layers, widths = drawn(7)
    texts = files(layers, widths)
    del texts["myreg.v"]
    model = loaded(tmp_path, {"logicnet.v": "\n".join([texts.pop("logicnet.v"), *texts.values()])})
    row = [1, 0] * 6
    assert model(torch.tensor([row])).int().tolist() == [codes_of(layers, widths, row)]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("layer0_N0.v", "4'b11: M1r", "4'b10: M1r", "module layer0_N0: the address 2 is beyond 4 bits, or there twice"),
        ("layer0_N0.v", "4'b11:", "// 4'b11:", "module layer0_N0: has no entry for 1 addresses"),
        ("layer0_N0.v", "case (M0)", "case (M0 + 1)", "module layer0_N0: 'case (M0 + 1)' is no part of a case table"),
        ("layer0_N1.v", "module layer0_N1 ", "module other ", "has no module 'layer0_N1', which layer0 has inside"),
        ("layer0.v", "M1[1:0]", "M1[2:0]", "module layer0: 'M1[2:0]' gets 2 bits, or is driven twice"),
        ("layer0.v", "M1[1:0]", "M1[3:2]", "module layer0: 'M1[3:2]' gets 2 bits, or is driven twice"),
        ("layer0.v", "{M0[", "{M0[9", "are no bits of a net"),
        ("logicnet.v", "module logicnet", "module other", "has no module logicnet"),
        ("logicnet.v", "layer0 layer0_inst", "logicnet layer0_inst", "logicnet"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    texts = files(*drawn(1))
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    with pytest.raises(NetworkFileError) as caught:
        loaded(tmp_path, texts)
    assert str(caught.value).startswith(f"{tmp_path / 'logicnet.v'}: ") and message in str(caught.value)


def test_spoilt_texts_give_a_network_or_one_message(tmp_path: Path) -> None:
    good = files(*drawn(1, layers=((3, 3, 2), (2, 4, 1))))
    chance, ends = random.Random(0), {True: 0, False: 0}
    for _ in range(250):
        texts = dict(good)
        name = chance.choice([one for one in texts if one != "myreg.v"])
        place = chance.randrange(len(texts[name]))
        text = chance.choice(["", "9", "[", ")", ";", "M0", "\x1b[2J", "'h", "end", "_"])
        texts[name] = texts[name][:place] + text + texts[name][place + chance.choice((0, 1, 40)) :]
        try:
            loaded(tmp_path, texts)
        except NetworkFileError as error:
            assert len(str(error)) < 1000 and "\x1b" not in str(error)
            ends[False] += 1
        else:
            ends[True] += 1
    assert min(ends.values()) > 20, ends
