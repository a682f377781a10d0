// Features as inputs: a slider each, in the feature's own units, its code beside it.

class TableInput {
  constructor(data, naming, wiring, changed) {
    Object.assign(this, { data, naming, changed });
    this.codes = new Int32Array(data.features.length).fill((data.lowest + data.highest) >> 1);
    this.thresholds = data.features.map(() => []);
    wiring.circuit.parts.forEach((part, place) => {
      if (!wiring.readsCodes(place)) return;
      for (let position = 0; position < wiring.circuit.positions[place]; position++) {
        for (let cell = 0; cell < part.comparators; cell++) {
          const ref = { part: place, position, net: 2 + cell };
          if (!part.compareBit[cell]) this.thresholds[wiring.comparison(ref).feature].push(part.compareThreshold[cell]);
        }
      }
    });
    const read = data.features.map((_, feature) => feature).filter((feature) => this.thresholds[feature].length);
    const blind = data.features.length - read.length;
    this.rows = new Map(read.map((feature) => [feature, this.#row(feature)]));
    const note = blind ? `${blind.toLocaleString("en")} features more are not read by any comparator.` : "";
    this.node = element(
      "div",
      { class: "table-input" },
      this.#tools(),
      element("div", { class: "sliders" }, ...[...this.rows.values()].map((row) => row.node)),
      element("p", { class: "note" }, note),
    );
    this.draw();
  }

  #tools() {
    const { lowest, highest } = this.data;
    const button = (text, code) => element("button", { type: "button", onclick: () => this.#all(code) }, text);
    return element(
      "div",
      { class: "tools" },
      button("Middle", () => (lowest + highest) >> 1),
      button("Random", () => lowest + Math.floor(Math.random() * (highest - lowest + 1))),
    );
  }

  #row(feature) {
    const slider = element("input", { type: "range", min: this.data.lowest, max: this.data.highest, step: 1 });
    slider.addEventListener("input", () => {
      this.codes[feature] = Number(slider.value);
      this.#told();
    });
    const text = element("output", {});
    const passed = element("span", { class: "note" });
    const label = element("label", {}, element("b", {}, this.naming.feature(feature)), slider);
    return {
      slider,
      text,
      passed,
      node: element("div", { class: "slider" }, label, element("p", {}, text, " ", passed)),
    };
  }

  #all(code) {
    this.codes = this.codes.map(code);
    this.#told();
  }

  #told() {
    this.draw();
    this.changed(this.codes);
  }

  set(codes) {
    this.codes = Int32Array.from(codes);
    this.draw();
  }

  draw() {
    for (const [feature, row] of this.rows) {
      const code = this.codes[feature];
      const all = this.thresholds[feature];
      row.slider.value = code;
      row.text.textContent = this.naming.number(feature, code);
      row.slider.setAttribute("aria-valuetext", `${row.text.textContent}, code ${code}`);
      const passed = all.filter((bound) => code >= bound).length;
      row.passed.textContent = `code ${code}, ${passed} of ${all.length} thresholds`;
    }
  }
}
