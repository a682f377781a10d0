// One net: what it reads, at which address of its table, what it gives, and what reads that.

const LINKS = 24;

class Inspector {
  constructor(wiring, naming, choose) {
    Object.assign(this, { wiring, naming, choose });
    this.content = element("div", {});
    this.close = element(
      "button",
      { type: "button", class: "close", "aria-label": "close", onclick: () => choose(null) },
      "×",
    );
    this.node = element(
      "aside",
      { class: "inspector", "aria-label": "One node", "aria-live": "polite" },
      this.close,
      this.content,
    );
    this.show(null, false);
  }

  show(ref, held) {
    this.node.classList.toggle("idle", !ref);
    this.node.classList.toggle("held", held);
    if (!ref) {
      const hint = "Point at a square to see what it reads and feeds; click or tap it, or press Enter, to hold it.";
      this.content.replaceChildren(element("h2", {}, "One node"), element("p", { class: "note" }, hint));
      return;
    }
    const value = this.wiring.value(ref);
    const title = element("h2", { tabindex: -1 }, this.wiring.name(ref));
    const output = element(
      "p",
      { class: "output" },
      element("span", { class: `bit b${value}` }, String(value)),
      " is its output",
    );
    this.content.replaceChildren(title, output, ...this.#reads(ref), ...this.#table(ref), ...this.#feeds(ref));
  }

  #reads(ref) {
    const lut = this.wiring.lut(ref);
    if (ref.part < 0) return [];
    if (lut < 0) {
      const { feature, code, threshold, bit } = this.wiring.comparison(ref);
      const whole = `code ${code} of ${this.naming.feature(feature)} ${code >= threshold ? "≥" : "<"} ${threshold}`;
      const words = bit ? `${this.naming.comparison(feature, threshold, bit)}, code ${code}` : whole;
      return [element("h3", {}, "A comparator"), element("p", {}, words)];
    }
    const rows = this.wiring.inputs(ref).map((input, place) => element("li", {}, `input ${place} `, this.#link(input)));
    return [element("h3", {}, "Reads"), element("ul", { class: "links" }, ...rows)];
  }

  #table(ref) {
    const lut = this.wiring.lut(ref);
    if (lut < 0) return [];
    const part = this.wiring.circuit.parts[ref.part];
    const bits = this.wiring.inputs(ref).map((input) => this.wiring.value(input));
    const address = bits.reduce((sum, bit, place) => sum + (bit << place), 0);
    const size = 1 << bits.length;
    const table = element("div", {
      class: "table",
      role: "img",
      "aria-label": `table, bit ${address} is ${part.table(lut, address)}`,
    });
    table.style.setProperty("--columns", Math.min(size, 16));
    for (let place = 0; place < size; place++) {
      table.append(element(place === address ? "mark" : "span", {}, String(part.table(lut, place))));
    }
    const digits = [...bits].reverse().join("");
    const words = `${digits} = ${address}, input ${bits.length - 1} first`;
    return [element("h3", {}, "Address"), element("p", {}, words), element("h3", {}, "Table, address 0 first"), table];
  }

  #feeds(ref) {
    const { nets, scores } = this.wiring.readers(ref);
    const rows = scores.map(([score, times]) =>
      element("li", {}, `counts for ${this.naming.score(score)}${times > 1 ? `, ${times} times` : ""}`),
    );
    rows.push(...nets.slice(0, LINKS).map((reader) => element("li", {}, this.#link(reader))));
    if (nets.length > LINKS) rows.push(element("li", { class: "note" }, `and ${nets.length - LINKS} more`));
    if (!rows.length) rows.push(element("li", { class: "note" }, "nothing"));
    return [element("h3", {}, "Feeds"), element("ul", { class: "links" }, ...rows)];
  }

  #link(ref) {
    const value = this.wiring.value(ref);
    const bit = element("span", { class: `bit b${value}` }, String(value));
    const follow = () => {
      this.choose(ref);
      this.content.querySelector("h2").focus({ preventScroll: true }); // the button is gone
    };
    return element("button", { type: "button", class: "link", onclick: follow }, bit, " ", this.wiring.name(ref));
  }
}
