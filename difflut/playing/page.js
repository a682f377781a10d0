// Puts the page together: input, results, one grid for each part of the circuit, the inspector.

// Samples that are run when the page opens.
const MOST_CHECKED = 100;

class Page {
  constructor(data) {
    this.data = data;
    this.circuit = new Circuit(data.circuit);
    this.naming = new Naming(data);
    this.wiring = new Wiring(this.circuit, this.naming);
    this.results = new Results(data, this.naming, this.circuit);
    this.inspector = new Inspector(this.wiring, this.naming, (ref) => this.choose(ref));
    const changed = (codes) => this.update(codes, null);
    this.input = data.image
      ? new ImageInput(data, this.naming, changed)
      : new TableInput(data, this.naming, this.wiring, changed);
    const events = { hover: (ref) => this.hover(ref), choose: (ref) => this.choose(ref) };
    const described = new Grids(data, this.wiring, this.naming).all();
    this.grids = described.map((one) => new Grid(one, this.wiring, events));
    this.held = null;
    this.hovered = null;
  }

  /** Fill the places that the document has for it. */
  show() {
    const put = (id, ...nodes) => document.getElementById(id).append(...nodes);
    put("input", this.input.node);
    put("samples", ...this.#sampleButtons());
    put("results", this.results.node);
    put("grids", ...this.grids.map((grid) => grid.node));
    put("grids-and-node", this.inspector.node);
    put("check", this.#check());
    this.#sample(0);
    this.#layout();
    new ResizeObserver(() => this.#layout()).observe(document.getElementById("grids"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#layout());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.choose(null));
  }

  #layout() {
    for (const grid of this.grids) grid.layout();
  }

  /** Codes and expected results of the samples in the page. */
  #codes(sample) {
    this.samples ||= { codes: unpack(this.data.samples.codes), scores: unpack(this.data.samples.scores) };
    const { features } = this.circuit;
    return this.samples.codes.subarray(sample * features, (sample + 1) * features);
  }

  #sampleButtons() {
    const { names, labels } = this.data.samples;
    return names.map((name, sample) => {
      const label = labels[sample] ? `label ${labels[sample]}` : "";
      const button = element("button", {
        type: "button",
        class: "sample",
        "aria-label": [name, label].filter(Boolean).join(", "),
        title: name,
      });
      button.addEventListener("click", () => this.#sample(sample));
      if (this.data.image) {
        const canvas = element("canvas", { width: this.data.image.columns, height: this.data.image.rows });
        drawCodes(canvas, this.input, this.#codes(sample));
        button.append(canvas);
      }
      button.append(element("span", {}, labels[sample] || `#${sample + 1}`));
      return button;
    });
  }

  #sample(sample) {
    const codes = this.#codes(sample);
    this.input.set(codes);
    this.update(codes, sample);
  }

  /** Run all samples, and compare with the scores of the reference simulator. */
  #check() {
    const words = this.data.samples.words.slice(0, MOST_CHECKED);
    const count = this.circuit.scores.length;
    const wrong = words.filter((word, sample) => {
      const found = this.circuit.run(this.#codes(sample));
      return (
        found.word !== word ||
        found.scores.some((score, place) => score !== this.samples.scores[sample * count + place])
      );
    });
    const verdict = wrong.length
      ? `✗ ${wrong.length} of ${words.length} samples DIFFER`
      : `✓ all ${words.length} samples give the same scores and class`;
    return element(
      "p",
      { class: wrong.length ? "no" : "yes" },
      `Checked here against difflut's reference simulator: ${verdict}.`,
    );
  }

  update(codes, sample) {
    this.codes = codes;
    this.chosenSample = sample;
    this.waiting ||= requestAnimationFrame(() => this.#run());
  }

  #run() {
    this.waiting = 0;
    this.circuit.run(this.codes);
    this.results.draw(this.#label());
    this.#mark();
    document
      .querySelectorAll(".sample")
      .forEach((button, place) => button.setAttribute("aria-pressed", String(place === this.chosenSample)));
  }

  #label() {
    const { labels, classes } = this.data.samples;
    const sample = this.chosenSample;
    if (sample === null || !labels[sample]) return "";
    if (classes[sample] < 0) return `label ${labels[sample]}`;
    return `label ${labels[sample]}, ${classes[sample] === this.circuit.winners()[0] ? "right" : "wrong"}`;
  }

  hover(ref) {
    if (refKeyOf(ref) === refKeyOf(this.hovered)) return;
    this.hovered = ref;
    this.#mark();
  }

  choose(ref) {
    this.held = ref;
    this.hovered = null;
    this.#mark();
  }

  #mark() {
    const ref = this.hovered || this.held;
    const marks = ref
      ? { chosen: [ref], inputs: this.wiring.inputs(ref), readers: this.wiring.readers(ref).nets }
      : NO_MARKS;
    this.inspector.show(ref, !!this.held);
    for (const grid of this.grids) grid.mark(marks);
  }
}

function refKeyOf(ref) {
  return ref && refKey(ref);
}

// In the console: page.circuit.run(codes).
window.page = new Page(JSON.parse(document.getElementById("data").textContent));
window.page.show();
