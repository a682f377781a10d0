"""The page in which a circuit runs, in a real browser: exact, usable with keys and pointer, as wide as the screen."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from browser import browse
from convolutions import Plan, Step, made
from several_heads import ImageHeads, SeveralHeads
from small_models import Chain, fitted

from difflut.data_names import DataNames, Wording
from difflut.export.builds.info import HeadInfo
from difflut.export.circuit.circuit import Circuit
from difflut.export.circuit.netlist import FIRST_NET, Head, NetlistBuilder
from difflut.export.circuit.netlist import InputFormat as CodesFormat
from difflut.export.circuit.simulate import simulate, simulate_maps, simulate_nets
from difflut.input_format import InputFormat
from difflut.playing.samples import random_samples
from difflut.playing.subject import Subject, of_model
from difflut.playing.written import render

Codes = npt.NDArray[np.int64]
SAMPLES = 100
WIDTHS = (390, 1440)

# Each page in a frame of its own; what `ask` gives for each becomes the result.
HARNESS = """<!doctype html><meta charset="utf-8"><body>%s
<script>
const asked = %s, frames = [...document.querySelectorAll("iframe")];
const later = () => new Promise((go) => setTimeout(go, 20));
%s
const loaded = (frame) => frame.contentWindow.page || new Promise((done) => frame.addEventListener("load", done));
Promise.all(frames.map(loaded)).then(async () => {
  const results = [];
  for (const [place, frame] of frames.entries()) results.push(await ask(frame.contentWindow, asked[place]));
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify(results);
  document.body.append(result);
});
</script></body>"""

RUN = """async function ask(page, samples) {
  return samples.map((codes) => page.page.circuit.run(codes));
}"""


def visit(
    pages: list[str], asked: Any, ask: str, folder: Path, widths: tuple[int, ...] = (1000,)
) -> tuple[list[Any], list[str]]:
    """What the function `ask` of JavaScript gives of each page, at each width, and the console's messages."""
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page, quote=True)}"></iframe>'
        for width in widths
        for page in pages
    )
    return browse(HARNESS % (frames, json.dumps(asked * len(widths)), ask), folder, max(widths) + 40)


def page_of(subject: Subject) -> str:
    return render(subject, random_samples(subject))


def codes_of(subject: Subject, count: int = SAMPLES) -> Codes:
    form = subject.circuit.input
    return np.random.default_rng(7).integers(form.lowest, form.highest + 1, (count, form.features))


def weighted() -> Subject:
    """Nets that count several times, constants, LUTs of one to eight inputs, decisions among some of the scores."""
    form = CodesFormat(9, 6, True)
    builder, generator = NetlistBuilder("weighted", form), np.random.default_rng(1)
    nets = builder.add_comparators(np.arange(9), generator.integers(-31, 32, 9)).tolist()
    for n in range(1, 9):
        feeds = generator.choice(nets, (5, n))
        nets += builder.add_layer(feeds, generator.random((5, 1 << n)) < 0.5).tolist()
    head = Head(
        [0, 6, 9, 13, 14, 20], [*nets[-4:], nets[-1], 1, *nets[-3:], 1, 0, 1, nets[3], nets[2], *nets[9:15]], [3, 2]
    )
    heads = (
        HeadInfo(name="a", kind="classes", results=3, meaning=""),
        HeadInfo(name="b", kind="classes", results=2, meaning=""),
    )
    return Subject("weighted", Circuit.of(builder.finish(head)), heads, Wording(None, InputFormat(6, True, 4.0), (9,)))


def colours() -> Subject:
    """Colours, padding, strides, pooling, and a dense part that reads several maps."""
    steps = (Step(8, (3, 3), padding=(1, 1), depth=2), Step(0, (2, 2), (2, 2)), Step(5, (3, 1), (1, 2)))
    return of_model(made(Plan((3, 9, 9), steps, bits=2, read=(0, 2, 3))))


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    models = {"chain": Chain(), "heads": SeveralHeads(), "pictures": ImageHeads()}
    traced = {name: of_model(fitted(model)) for name, model in models.items()}
    return {**traced, "weighted": weighted(), "colours": colours()}


def flipped(page: str, subject: Subject, codes: Codes) -> str:
    """The page with one bit of a table changed: of a LUT that a score counts, at the address that the codes give."""
    found = re.search(r'(<script type="application/json" id="data">)(.*?)(</script>)', page, re.DOTALL)
    assert found is not None
    body = subject.circuit.body
    lut = int(body.head.nets[0]) - body.first_lut_net
    values = simulate_nets(body, codes[None])[0]
    address = sum(int(values[net]) << place for place, net in enumerate(body.fanin(lut)))
    data = json.loads(found[2])
    kind, text = data["circuit"]["body"]["lut_tables"].split(":")
    octets = bytearray(base64.b64decode(text))
    first = int(np.maximum(1, np.left_shift(1, body.lut_inputs[:lut]) >> 3).sum())
    octets[first + address // 8] ^= 1 << address % 8
    data["circuit"]["body"]["lut_tables"] = f"{kind}:{base64.b64encode(octets).decode()}"
    return page.replace(found[2], json.dumps(data))


def test_the_page_computes_what_the_simulator_does(subjects: dict[str, Subject], tmp_path: Path) -> None:
    pages = [page_of(subject) for subject in subjects.values()]
    codes = [codes_of(subject) for subject in subjects.values()]
    broken = flipped(pages[0], subjects["chain"], codes[0][0])
    results, console = visit([*pages, broken], [some.tolist() for some in (*codes, codes[0])], RUN, tmp_path)
    assert console == []
    for (name, subject), some, result in zip(subjects.items(), codes, results, strict=False):
        expected = simulate(subject.circuit, some)
        assert [found["scores"] for found in result] == expected.scores.tolist(), name
        assert [int(found["word"]) for found in result] == expected.classes.tolist(), name
        assert len(np.unique(expected.scores, axis=0)) > 3, "a circuit whose scores never change shows nothing"
    spoilt = simulate(subjects["chain"].circuit, codes[0]).scores
    assert results[-1][0]["scores"] != spoilt[0].tolist()


LOOK = """async function ask(page, moves) {
  const document = page.document;
  page.requestAnimationFrame = (draw) => page.setTimeout(draw, 0); // a browser without a window may have no frames
  page.page.waiting = 0;
  const key = (node, key) => node.dispatchEvent(new page.KeyboardEvent("keydown", { key, bubbles: true }));
  const looked = { scroll: document.documentElement.scrollWidth, check: document.getElementById("check").textContent };
  if (moves === "image") for (const press of ["ArrowDown", " "]) key(page.page.input.canvas, press);
  const slider = document.querySelector("input[type=range]");
  if (moves === "table") {
    slider.value = slider.max;
    slider.dispatchEvent(new page.Event("input"));
  }
  await later();
  looked.codes = [...page.page.codes];
  looked.counts = page.page.grids.map((grid) => `${grid.title}: ${grid.count.textContent}`);
  looked.values = [...document.querySelectorAll(".bars .value")].map((node) => parseInt(node.textContent));
  const grid = page.page.grids.find((one) => one.title.startsWith("Layer"));
  for (const press of ["ArrowRight", "ArrowRight", "Enter"]) key(grid.canvas, press);
  const read = () => ({
    name: document.querySelector(".inspector h2").textContent, text: document.querySelector(".inspector").innerText,
    links: [...document.querySelectorAll(".inspector .link")].map((node) => node.textContent),
    marked: document.querySelector(".inspector mark").textContent, right: grid.canvas.getBoundingClientRect().right,
  });
  looked.keyed = read();
  const box = grid.canvas.getBoundingClientRect(), [{ x, y }] = grid.sheets;
  const at = { clientX: box.left + x + 1, clientY: box.top + y + 1 };
  grid.canvas.dispatchEvent(new page.MouseEvent("click", at));
  looked.clicked = read();
  return looked;
}"""


def test_inputs_change_and_nodes_are_shown(subjects: dict[str, Subject], tmp_path: Path) -> None:
    moves = {"heads": "table", "pictures": "image", "weighted": "table"}
    levels = {"heads": [3, 5], "pictures": [0, 2], "weighted": []}  # T - 1 of each label, which has no bar
    pages = [page_of(subjects[name]) for name in moves]
    results, console = visit(pages, list(moves.values()), LOOK, tmp_path, WIDTHS)
    assert console == []
    for number, seen in enumerate(results):
        width, name = WIDTHS[number // len(moves)], list(moves)[number % len(moves)]
        codes = changed_codes(subjects[name], seen)
        assert (
            seen["values"] == np.delete(simulate(subjects[name].circuit, codes[None]).scores[0], levels[name]).tolist()
        )
        assert seen["counts"] == counts(subjects[name], codes)
        assert "✓ all 4 samples give the same scores and class" in seen["check"]
        assert seen["scroll"] <= width and seen["keyed"]["right"] <= width, "something is wider than the page"
        body = subjects[name].circuit.body
        layer = int(body.lut_layer[body.lut_layer > 0].min())
        nodes = np.sort(body.lut_node[body.lut_layer == layer])
        for node, looked in ((nodes[1], seen["keyed"]), (nodes[0], seen["clicked"])):
            assert looked["name"] == f"L{layer}.{node}"
            lut = int(np.flatnonzero((body.lut_layer == layer) & (body.lut_node == node))[0])
            check_node(subjects[name], codes, lut, looked)


WIRES = """async function ask(page) {
  const { wiring, circuit } = page.page;
  const seen = { links: 0, wrong: 0, counted: 0, titles: page.page.grids.at(-1).sheets.map((sheet) => sheet.title) };
  const among = (refs, wanted) => refs.some((ref) => refKey(ref) === refKey(wanted));
  const refKey = (ref) => `${ref.part}/${wiring.index(ref)}`;
  circuit.parts.forEach((part, place) => {
    for (let index = 0; index < circuit.values[place].length; index++) {
      const ref = wiring.at(place, index), lut = wiring.lut(ref);
      if (ref.net < 2 || (lut < 0 && !wiring.readsCodes(place))) continue;
      const { nets, scores } = wiring.readers(ref), inputs = wiring.inputs(ref);
      for (const [, times] of scores) seen.counted += times;
      for (const reader of nets) seen.wrong += !among(wiring.inputs(reader), ref);
      inputs.forEach((input, number) => {
        seen.links++;
        const net = part.fanins(lut)[number];
        seen.wrong += wiring.value(input) !== circuit.values[place][ref.position * part.nets + net];
        seen.wrong += input.part >= 0 && !among(wiring.readers(input).nets, ref);
      });
    }
  });
  return seen;
}"""


def test_who_is_connected_with_whom(subjects: dict[str, Subject], tmp_path: Path) -> None:
    """What a node reads has the bits that it is computed from, and names it among its readers; and the other way."""
    results, console = visit([page_of(subject) for subject in subjects.values()], [0] * len(subjects), WIRES, tmp_path)
    assert console == []
    for subject, seen in zip(subjects.values(), results, strict=True):
        circuit = subject.circuit
        kernels = zip(circuit.maps[1:], circuit.layers, strict=False)
        links = sum(size.pixels * len(layer.kernel.lut_fanin) for size, layer in kernels) + len(circuit.body.lut_fanin)
        assert (seen["wrong"], seen["links"]) == (0, links)
        assert seen["counted"] == (circuit.body.head.nets >= FIRST_NET).sum()
    labels = ["T − 1 of 0", "label 0", "T − 1 of 1", "label 1"]
    assert results[list(subjects).index("heads")]["titles"] == ["class 0", "class 1", "class 2", *labels, "number 0"]


def changed_codes(subject: Subject, seen: dict[str, Any]) -> Codes:
    """The codes that a page has after something was changed."""
    first, codes = random_samples(subject).codes[0], np.array(seen["codes"])
    assert (codes != first).any() and codes.max() == subject.circuit.input.highest, "the input was not changed"
    return codes


def counts(subject: Subject, codes: Codes) -> list[str]:
    """The ones in each grid, of how many bits."""
    circuit, body = subject.circuit, subject.circuit.body
    values = body_values(subject, codes)
    shown = {"Comparators": values[FIRST_NET : body.first_lut_net]}
    if circuit.layers:
        names = ["Encoded image", *(f"Map {number}" for number in range(1, len(circuit.maps)))]
        shown = dict(zip(names, simulate_maps(circuit, codes[None]), strict=True))
    for layer in np.unique(body.lut_layer):
        shown[f"Layer {layer}"] = values[body.first_lut_net :][body.lut_layer == layer]
    shown["Counted bits"] = values[body.head.nets]
    return [f"{name}: {int(bits.sum())} of {bits.size} are 1" for name, bits in shown.items()]


def body_values(subject: Subject, codes: Codes) -> Codes:
    """Every net of the body."""
    circuit = subject.circuit
    features = codes[None]
    if circuit.layers:
        maps = [bits.reshape(1, -1) for bits in simulate_maps(circuit, features)]
        features = np.concatenate(maps, axis=1)[:, circuit.body_bits]
    return simulate_nets(circuit.body, features)[0].astype(np.int64)


def check_node(subject: Subject, codes: Codes, lut: int, looked: dict[str, Any]) -> None:
    """What the page says of a LUT is what the simulator has."""
    body, values = subject.circuit.body, body_values(subject, codes)
    bits = values[body.fanin(lut)].tolist()
    assert [int(link[0]) for link in looked["links"][: len(bits)]] == bits
    assert f"= {sum(bit << place for place, bit in enumerate(bits))}, input" in looked["text"]
    output = values[body.first_lut_net + lut]
    assert f"{output} is its output" in looked["text"] and looked["marked"] == str(output)


def test_texts_of_data_are_texts(tmp_path: Path) -> None:
    bad = "</script><script>document.title='x'</script>"
    subject = of_model(fitted(Chain()))
    names = DataNames(tuple(f"{bad}{k}" for k in range(6)), (), tuple(f"{bad}{k}" for k in range(4)))
    named = Subject(bad, subject.circuit, subject.heads, Wording(names, subject.wording.form, (6,)))
    page = page_of(named)
    assert page.count("<script") == 2 and not re.search(r"https?://|url\(|@import|\ssrc=", page)
    assert {value[:5] for value in re.findall(r'href="([^"]*)', page)} == {"data:"}
    ask = "async function ask(page) { return [page.document.title, page.document.querySelector('.name').textContent]; }"
    attacked = page.replace("<body>", "<body><script>document.title='x'</script>")  # which must not run
    results, console = visit([page, attacked], [0, 0], ask, tmp_path)
    assert results == [[f"{bad}: difflut circuit", f"{bad}0"]] * 2
    assert len(console) == 1 and "Content Security Policy" in console[0]
