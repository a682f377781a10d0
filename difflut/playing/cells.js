// Which net each cell of a sheet is, in typed arrays, as there may be a million of them.

const BLANK = -2;

class Cells {
  /** `refs` may be any iterable of nets; null is a blank. */
  constructor(wiring, length, refs) {
    this.wiring = wiring;
    this.length = length;
    this.parts = new Int16Array(length).fill(BLANK);
    this.indices = new Uint32Array(length);
    this.count = 0;
    let place = 0;
    for (const ref of refs) {
      if (ref) {
        this.parts[place] = ref.part;
        this.indices[place] = wiring.index(ref);
        this.count++;
      }
      place++;
    }
  }

  /** The net of a cell, null for a blank. */
  ref(place) {
    const blank = !(place < this.length) || this.parts[place] === BLANK;
    return blank ? null : this.wiring.at(this.parts[place], this.indices[place]);
  }

  /** The bits of all cells; of a blank 2. */
  bits() {
    const { values } = this.wiring.circuit;
    return Uint8Array.from(this.parts, (part, place) => {
      if (part === BLANK) return 2;
      return part < 0 ? this.indices[place] : values[part][this.indices[place]];
    });
  }

  /** Where a net is shown. */
  *places(ref) {
    const index = this.wiring.index(ref);
    for (let place = this.indices.indexOf(index); place >= 0; place = this.indices.indexOf(index, place + 1)) {
      if (this.parts[place] === ref.part) yield place;
    }
  }
}
