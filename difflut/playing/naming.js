// Codes, features and results in the words of the data.

const MOST_DECIMALS = 9;

class Naming {
  constructor(data) {
    this.data = data;
  }

  feature(feature) {
    const { features, shape } = this.data;
    if (features.length) return features[feature].name;
    const place = [];
    for (const size of [...shape].reverse()) {
      place.unshift(feature % size);
      feature = Math.floor(feature / size);
    }
    return `${shape.length === 2 ? "pixel" : "input"} (${place.join(", ")})`;
  }

  /** What a code stands for, with so many decimals that neighbouring codes differ. */
  number(feature, code) {
    const { unit, divisor, offset } = this.data.features[feature];
    const value = offset + code / divisor;
    const decimals = Math.max(0, Math.ceil(Math.log10(2 * divisor)));
    const plain = decimals <= MOST_DECIMALS && Math.abs(value) < 10 ** MOST_DECIMALS;
    const text = plain ? (Number(value.toFixed(decimals)) + 0).toFixed(decimals) : value.toPrecision(6);
    return `${text} ${unit}`.trimEnd();
  }

  comparison(feature, threshold, bit) {
    if (bit) return `bit ${bit - 1} of ${this.feature(feature)}`;
    const bound = this.data.named && this.data.features.length ? this.number(feature, threshold - 0.5) : threshold;
    return `${this.feature(feature)} ≥ ${bound}`;
  }

  /** A result of a head: the name that the data have for it, or its number among the head's. */
  result(head, index) {
    const before = this.data.heads.slice(0, head).reduce((sum, other) => sum + other.results, 0);
    return this.data.results[before + index] ?? String(index);
  }

  /** A score, by its head. */
  score(score) {
    let first = 0;
    for (const [place, head] of this.data.heads.entries()) {
      const count = head.kind === "labels" ? 2 * head.results : head.results;
      if (score < first + count) return this.#score(head, place, score - first);
      first += count;
    }
    return `score ${score}`;
  }

  #score(head, place, own) {
    if (head.kind === "labels") return `${own % 2 ? "label" : "T − 1 of"} ${this.result(place, own >> 1)}`;
    return `${{ classes: "class", numbers: "number", bits: "bit" }[head.kind]} ${this.result(place, own)}`;
  }
}
