"""`--target c`: compiled as strict C99 with sanitizers, and run against `simulate`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from convolutions import MAJORITY, made
from netlists import codes_for, layered_netlist
from several_heads import SeveralHeads
from several_heads import fitted as fitted_heads
from small_models import Chain, fitted
from tools import require_tool

import difflut
from difflut.errors import ConfigError
from difflut.export.circuit.netlist import CONST0, CONST1, Head, InputFormat, Netlist, NetlistBuilder
from difflut.export.circuit.simulate import simulate
from difflut.export.exchange.c import c_files
from difflut.export.schedule.head.outputs import Outputs

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover")
# Reads samples as numbers, writes the scores and the class word of each as numbers.
MAIN = """\
#include <inttypes.h>
#include <stdio.h>
#include "{name}.h"

int main(void)
{{
    static {code} codes[{upper}_FEATURES];
    static {score} scores[{upper}_SCORES];
    static uint8_t work[{upper}_WORK];
    long number;
    for (int i = 0; scanf("%ld", &number) == 1;) {{
        codes[i++] = ({code})number;
        if (i < {upper}_FEATURES) continue;
        i = 0;
        {call};
        for (int k = 0; k < {upper}_SCORES; k++) printf("%lu ", (unsigned long)scores[k]);
        printf("%" PRIu64 "\\n", (uint64_t)word);
    }}
    return 0;
}}
"""


def computed(netlist: Netlist, outputs: Outputs, codes: np.ndarray, folder: Path) -> np.ndarray:
    """What the C gives, int64 (N, scores + 1); 0 for what it does not give."""
    require_tool("gcc")
    source, header = c_files(netlist, outputs, "net", "net.h")
    (folder / "net.c").write_bytes(source)
    (folder / "net.h").write_bytes(header)
    return executed(folder, netlist, outputs, codes)


def executed(folder: Path, netlist: Netlist, outputs: Outputs, codes: np.ndarray, name: str = "net") -> np.ndarray:
    form, head = netlist.input, netlist.head
    octets = next(width for width in (8, 16, 32) if form.width_bits <= width)
    score = next(width for width in (8, 16, 32) if head.score_width_bits <= width)
    arguments = "codes, scores, work" if outputs.scores else "codes, work"
    call = f"{name}_run({arguments})"
    values = {
        "name": name,
        "upper": name.upper(),
        "code": f"{'' if form.signed else 'u'}int{octets}_t",
        "score": f"uint{score}_t",
        "call": f"uint64_t word = {call}" if outputs.best else f"{call}; uint64_t word = 0",
    }
    (folder / "main.c").write_text(MAIN.format(**values))
    command = ["gcc", *STRICT, *SANITIZED, "main.c", f"{name}.c", "-o", "program"]
    subprocess.run(command, cwd=folder, check=True)
    text = "\n".join(" ".join(map(str, code)) for code in codes.tolist())
    done = subprocess.run([folder / "program"], input=text, capture_output=True, text=True, check=True)
    return np.array([line.split() for line in done.stdout.splitlines()], np.int64)


def expected(netlist: Netlist, outputs: Outputs, codes: np.ndarray) -> np.ndarray:
    found = simulate(netlist, codes)
    return np.column_stack([found.scores * outputs.scores, found.classes * outputs.best])


def mixed(form: InputFormat, decisions: list[int], seed: int = 0) -> Netlist:
    """Nodes of all sizes, scores of all sizes with constants among what they count."""
    rng = np.random.default_rng(seed)
    builder = NetlistBuilder("mixed", form)
    nets = builder.add_comparators(
        rng.integers(0, form.features, 40), rng.integers(form.lowest + 1, form.highest + 1, 40)
    )
    for n in (*range(1, 9), 2, 1):
        nets = np.concatenate([nets, builder.add_layer(rng.choice(nets, (20, n)), rng.random((20, 1 << n)) < 0.5)])
    sizes = rng.integers(1, 40, sum(decisions))
    sizes[0] = 300
    counted = rng.choice(np.concatenate([nets, [CONST0, CONST1]]), sizes.sum())
    return builder.finish(Head(np.cumsum([0, *sizes]), counted, np.array(decisions)))


def test_majorities(tmp_path: Path) -> None:
    netlist = difflut.trace(made(MAJORITY))
    codes = codes_for(netlist, 60)
    np.testing.assert_array_equal(computed(netlist, Outputs(), codes, tmp_path), expected(netlist, Outputs(), codes))


@pytest.mark.parametrize(
    ("form", "decisions", "outputs"),
    [
        (InputFormat(5, 8), [7], Outputs()),
        (InputFormat(300, 12, True), [3, 1, 2, 9], Outputs()),
        (InputFormat(2, 31, True), [2] * 40, Outputs(scores=False)),
        (InputFormat(3, 17), [1, 1], Outputs(best=False)),
    ],
)
def test_drawn_netlists(form: InputFormat, decisions: list[int], outputs: Outputs, tmp_path: Path) -> None:
    netlist = mixed(form, decisions)
    codes = codes_for(netlist, 80)
    assert np.array_equal(computed(netlist, outputs, codes, tmp_path), expected(netlist, outputs, codes))


@pytest.mark.parametrize("comparators", [0, 2])
def test_without_nodes(comparators: int, tmp_path: Path) -> None:
    builder = NetlistBuilder("little", InputFormat(2, 4))
    nets = builder.add_comparators([0, 1], [3, 9]) if comparators else np.array([CONST0, CONST1])
    netlist = builder.finish(nets.reshape(2, 1))
    codes = np.array([[0, 0], [15, 0], [0, 15], [3, 9]])
    assert np.array_equal(computed(netlist, Outputs(), codes, tmp_path), expected(netlist, Outputs(), codes))


def test_little_memory_and_no_warning_where_nodes_are_of_two_inputs(tmp_path: Path) -> None:
    netlist = layered_netlist((60,) * 20, n=2, features=9, comparators=40)
    codes = codes_for(netlist, 20)
    assert np.array_equal(computed(netlist, Outputs(), codes, tmp_path), expected(netlist, Outputs(), codes))
    bytes_needed = int((tmp_path / "net.h").read_text().split("#define NET_WORK ")[1].split()[0])
    assert bytes_needed < 2 + 40 + 3 * 60


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("gcc")
    monkeypatch.chdir(tmp_path)
    model = fitted(Chain())
    model.save_checkpoint("chain.safetensors")
    given = ("export", "chain.safetensors", "--model", "small_models:Chain", "--target", "c")
    status, out, _ = run(capsys, *given)
    assert status == 0
    assert out.startswith("chain -> build/chain.c\n  c: 48 input bits, ")
    assert sorted(path.name for path in Path("build").iterdir()) == ["chain.c", "chain.h"]
    netlist = difflut.trace(model)
    codes = codes_for(netlist, 100)
    found = executed(tmp_path / "build", netlist, Outputs(), codes, "chain")
    assert np.array_equal(found, expected(netlist, Outputs(), codes))
    for name in ("chain.h", 'a"b.c', ".c"):
        status, _, err = run(capsys, *given, "--out", name)
        assert status == 2
        assert f"{name!a} is no name of a C file; give one of letters, digits and ._+- that ends with .c" in err
        assert not Path(name).exists()


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    require_tool("gcc")
    page = Path(__file__).parents[2] / "docs" / "engine.md"
    (tmp_path / "main.c").write_text(page.read_text().partition("```c\n")[2].partition("```")[0])
    netlist = layered_netlist((40, 600), features=20, comparators=30, classes=2)
    source, header = c_files(netlist, Outputs(), "mnist_fc_8k_dwn", "net.h")
    (tmp_path / "net.c").write_bytes(source)
    (tmp_path / "net.h").write_bytes(header)
    subprocess.run(["gcc", *STRICT, "main.c", "net.c", "-o", "program"], cwd=tmp_path, check=True)
    for code in codes_for(netlist, 4).astype(np.uint8):
        done = subprocess.run([tmp_path / "program"], input=code.tobytes(), capture_output=True, check=True)
        assert done.stdout.decode() == f"class {simulate(netlist, code[None]).classes[0]}\n"


def test_a_model_of_several_heads_has_fields(tmp_path: Path) -> None:
    model = fitted_heads(SeveralHeads())
    made = difflut.export_netlist(model, tmp_path / "net.c", target="c", name="net")
    assert "a field of" in made.path.with_suffix(".h").read_text()
    netlist = difflut.trace(model)
    codes = codes_for(netlist, 60)
    assert np.array_equal(executed(tmp_path, netlist, Outputs(), codes), expected(netlist, Outputs(), codes))


def test_bits_have_no_class(tmp_path: Path) -> None:
    model = difflut.from_netlist([0, 2], [2, 3], [0, 1, 1, 0], [[4], [2]], features=2, head="bits")
    difflut.export_netlist(model, tmp_path / "net.c", target="c")
    assert (tmp_path / "net.h").read_text().count("void ") == 1
    with pytest.raises(ConfigError, match="top-2"):
        difflut.export_netlist(model, tmp_path / "net.c", target="c", outputs="top-2")
