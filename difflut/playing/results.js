// What the scores say: of each head a sentence, and a bar for each score.

class Results {
  constructor(data, naming, circuit) {
    Object.assign(this, { data, naming, circuit });
    const sizes = Array.from(
      circuit.scores,
      (_, score) => circuit.body.headOffsets[score + 1] - circuit.body.headOffsets[score],
    );
    let first = 0;
    let decision = 0;
    this.heads = data.heads.map((head, place) => {
      const count = head.kind === "labels" ? 2 * head.results : head.results;
      const made = { head, place, first, decision, most: Math.max(...sizes.slice(first, first + count)) };
      first += count;
      decision += head.kind === "classes" ? 1 : head.results;
      return this.#make(made);
    });
    this.node = element("div", { class: "results", "aria-live": "polite" }, ...this.heads.map((made) => made.node));
  }

  #make(made) {
    const { head, place } = made;
    const title = this.data.heads.length > 1 ? [element("h3", {}, head.name)] : [];
    made.answer = element("p", { class: "answer" });
    made.detail = element("p", { class: "note" });
    made.bars = Array.from({ length: head.results }, (_, result) => {
      const fill = element("span", { class: "fill" });
      const value = element("span", { class: "value" });
      const mark = element("span", { class: "mark" });
      const name = element("span", { class: "name" }, this.naming.result(place, result));
      return { fill, value, mark, node: element("li", {}, name, element("span", { class: "bar" }, fill), value, mark) };
    });
    const meaning = head.kind === "bits" ? [element("p", { class: "note" }, head.meaning)] : [];
    const list = element("ol", { class: `bars ${head.kind}` }, ...made.bars.map((bar) => bar.node));
    made.node = element("div", { class: "head" }, ...title, made.answer, made.detail, list, ...meaning);
    return made;
  }

  draw(label) {
    const winners = this.circuit.winners();
    for (const made of this.heads) this[`_${made.head.kind}`](made, winners, label);
  }

  _classes(made, winners, label) {
    const scores = Array.from(this.circuit.scores.subarray(made.first, made.first + made.head.results));
    const best = winners[made.decision];
    const name = this.naming.result(made.place, best);
    made.answer.textContent = name === String(best) ? `class ${best}` : name;
    let other = -1;
    scores.forEach((score, index) => {
      if (index !== best && (other < 0 || score > scores[other])) other = index;
    });
    const margin =
      other < 0 ? "" : `margin ${scores[best] - scores[other]} over ${this.naming.result(made.place, other)}`;
    made.detail.textContent = [margin, scores[best] === scores[other] ? "a tie, which the lower class wins" : "", label]
      .filter(Boolean)
      .join("; ");
    made.bars.forEach((bar, index) => this.#bar(bar, scores[index], made.most, index === best, "◀ largest"));
  }

  _labels(made, winners) {
    const held = [];
    made.bars.forEach((bar, result) => {
      const [below, score] = this.circuit.scores.subarray(made.first + 2 * result, made.first + 2 * result + 2);
      const holds = winners[made.decision + result] === 1;
      if (holds) held.push(this.naming.result(made.place, result));
      this.#bar(bar, score, made.most, holds, "◀ holds", ` of T = ${below + 1}`);
    });
    const several = held.length ? `${held.join(", ")} hold${held.length > 1 ? "" : "s"}` : "none holds";
    made.answer.textContent = made.head.results > 1 ? several : held.length ? "holds" : "does not hold";
    made.detail.textContent = "a label holds where its score reaches T";
  }

  _numbers(made) {
    const { scale, offset, results } = made.head;
    const text = (number) => String(Number(number.toPrecision(6)));
    const numbers = made.bars.map((bar, result) => {
      const score = this.circuit.scores[made.first + result];
      this.#bar(bar, score, made.most, false, "");
      return text(offset + scale * score);
    });
    made.answer.textContent = numbers.slice(0, 4).join(", ") + (results > 4 ? ", …" : "");
    made.detail.textContent = `${text(offset)} ${scale < 0 ? "−" : "+"} ${text(Math.abs(scale))} × score`;
    made.bars.forEach((bar, result) => (bar.mark.textContent = `= ${numbers[result]}`));
  }

  _bits(made) {
    const bits = made.bars.map((bar, result) => {
      const bit = this.circuit.scores[made.first + result];
      this.#bar(bar, bit, 1, bit === 1, "");
      return bit;
    });
    made.answer.textContent = `${bits.reduce((sum, bit) => sum + bit, 0)} of ${bits.length} bits are 1`;
  }

  #bar(bar, score, most, marked, words, more = "") {
    bar.fill.style.width = `${(100 * score) / Math.max(1, most)}%`;
    bar.value.textContent = `${score}${more}`;
    bar.mark.textContent = marked ? words : "";
    bar.node.classList.toggle("best", marked);
  }
}
