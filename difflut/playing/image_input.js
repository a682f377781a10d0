// Images as inputs: drawn with mouse, finger or keys; codes from the lowest, black, to the highest, white.

// In CSS pixels, and as a share of the shorter side.
const VIEW = 320;
const BRUSH = 0.032;

class ImageInput {
  constructor(data, naming, changed) {
    const { channels, rows, columns, strides } = data.image;
    Object.assign(this, { data, naming, changed, channels, rows, columns, strides });
    this.codes = new Int32Array(channels * rows * columns).fill(data.lowest);
    this.cursor = null;
    this.canvas = element("canvas", {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "drawing",
      class: "drawing",
    });
    this.canvas.width = columns;
    this.canvas.height = rows;
    this.canvas.style.width = `${Math.round((VIEW * columns) / Math.max(rows, columns))}px`;
    this.status = element(
      "p",
      { class: "note status" },
      "Draw with the mouse or a finger; arrow keys move, space draws, Delete erases.",
    );
    this.paint = element("input", {
      type: channels === 3 ? "color" : "range",
      "aria-label": "ink",
      value: channels === 3 ? "#ffffff" : 100,
    });
    this.erase = element("input", { type: "checkbox" });
    this.node = element("div", { class: "image-input" }, this.#frame(), this.#tools(), this.status);
    this.canvas.setAttribute("aria-label", `Input of ${rows} by ${columns} pixels`);
    this.#listen();
  }

  #frame() {
    this.ring = element("div", { class: "ring", hidden: true });
    return element("div", { class: "frame" }, this.canvas, this.ring);
  }

  #tools() {
    const button = (text, action) => element("button", { type: "button", onclick: action }, text);
    return element(
      "div",
      { class: "tools" },
      element("label", {}, this.channels === 3 ? "Colour " : "Ink ", this.paint),
      element("label", {}, this.erase, " Erase"),
      button("Blank", () => this.#all(() => this.data.lowest)),
      button("Random", () => this.#all(() => this.#level(Math.random()))),
      button("Centre", () => this.#centre()),
    );
  }

  #level(share) {
    return this.data.lowest + Math.round(share * (this.data.highest - this.data.lowest));
  }

  #place(channel, row, column) {
    return channel * this.strides[0] + row * this.strides[1] + column * this.strides[2];
  }

  set(codes) {
    this.codes = Int32Array.from(codes);
    this.draw();
  }

  #all(code) {
    this.codes = this.codes.map(code);
    this.#told();
  }

  #told() {
    this.draw();
    this.changed(this.codes);
  }

  draw() {
    drawCodes(this.canvas, this, this.codes);
  }

  #listen() {
    let last = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [
        ((event.clientY - box.top) / box.height) * this.rows,
        ((event.clientX - box.left) / box.width) * this.columns,
      ];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      last = at(event);
      this.#stroke(last, last);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const here = at(event);
      if (last) this.#stroke(last, here);
      if (last) last = here;
      this.#tell(Math.floor(here[0]), Math.floor(here[1]));
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (last = null));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("blur", () => (this.ring.hidden = true));
  }

  /** A soft line between two points, (row, column). */
  #stroke(from, to) {
    const radius = Math.max(0.3, BRUSH * Math.min(this.rows, this.columns));
    const reach = 2 * radius + 0.2;
    const low = (axis) => Math.max(0, Math.floor(Math.min(from[axis], to[axis]) - reach));
    const high = (axis, size) => Math.min(size - 1, Math.ceil(Math.max(from[axis], to[axis]) + reach));
    for (let row = low(0); row <= high(0, this.rows); row++) {
      for (let column = low(1); column <= high(1, this.columns); column++) {
        const apart = distance([row + 0.5, column + 0.5], from, to);
        const share = Math.min(1, Math.max(0, 1 - (apart - radius) / (radius + 0.2)));
        if (share > 0) this.#dab(row, column, share, this.erase.checked);
      }
    }
    this.#told();
  }

  #dab(row, column, share, erase) {
    for (let channel = 0; channel < this.channels; channel++) {
      const place = this.#place(channel, row, column);
      const code = this.codes[place];
      if (this.channels === 1 && !erase) {
        this.codes[place] = Math.max(code, this.#level(share * this.#ink(channel)));
      } else {
        const goal = erase ? this.data.lowest : this.#level(this.#ink(channel));
        this.codes[place] = Math.round(code + share * (goal - code));
      }
    }
  }

  /** What is painted with in a channel, 0 to 1. */
  #ink(channel) {
    if (this.channels !== 3) return this.paint.value / 100;
    return parseInt(this.paint.value.slice(1 + 2 * channel, 3 + 2 * channel), 16) / 255;
  }

  #key(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const middle = [this.rows >> 1, this.columns >> 1];
    if (event.key in moves) {
      const [row, column] = this.cursor ? this.cursor.map((at, axis) => at + moves[event.key][axis]) : middle;
      this.cursor = [Math.min(this.rows - 1, Math.max(0, row)), Math.min(this.columns - 1, Math.max(0, column))];
    } else if ([" ", "Enter", "Delete", "Backspace"].includes(event.key)) {
      this.cursor ||= middle;
      this.#dab(...this.cursor, 1, this.erase.checked || !" Enter".includes(event.key));
      this.#told();
    } else return;
    event.preventDefault();
    this.#tell(...this.cursor);
    this.#showCursor();
  }

  #showCursor() {
    const [row, column] = this.cursor;
    const percent = (part, all) => `${(100 * part) / all}%`;
    Object.assign(this.ring.style, {
      top: percent(row, this.rows),
      left: percent(column, this.columns),
      width: percent(1, this.columns),
      height: percent(1, this.rows),
    });
    this.ring.hidden = false;
  }

  #tell(row, column) {
    if (row < 0 || row >= this.rows || column < 0 || column >= this.columns) return;
    const codes = Array.from({ length: this.channels }, (_, channel) => this.codes[this.#place(channel, row, column)]);
    const { lowest, highest } = this.data;
    this.status.textContent = `Pixel (${row}, ${column}): code ${codes.join(", ")} of ${lowest} to ${highest}`;
  }

  /** Move the centre of what is not black to the middle. */
  #centre() {
    let sum = 0;
    let rows = 0;
    let columns = 0;
    const share = (row, column) => {
      let total = 0;
      for (let channel = 0; channel < this.channels; channel++)
        total += this.codes[this.#place(channel, row, column)] - this.data.lowest;
      return total;
    };
    for (let row = 0; row < this.rows; row++) {
      for (let column = 0; column < this.columns; column++) {
        const weight = share(row, column);
        sum += weight;
        rows += weight * (row + 0.5);
        columns += weight * (column + 0.5);
      }
    }
    if (sum) this.#shift(Math.round(this.rows / 2 - rows / sum), Math.round(this.columns / 2 - columns / sum));
  }

  #shift(down, across) {
    const old = this.codes.slice();
    for (let channel = 0; channel < this.channels; channel++) {
      for (let row = 0; row < this.rows; row++) {
        for (let column = 0; column < this.columns; column++) {
          const y = row - down;
          const x = column - across;
          const inside = y >= 0 && y < this.rows && x >= 0 && x < this.columns;
          this.codes[this.#place(channel, row, column)] = inside ? old[this.#place(channel, y, x)] : this.data.lowest;
        }
      }
    }
    this.#told();
  }
}

/** From a point to the line between two others. */
function distance(point, from, to) {
  const along = [to[0] - from[0], to[1] - from[1]];
  const length = along[0] ** 2 + along[1] ** 2;
  const dot = (point[0] - from[0]) * along[0] + (point[1] - from[1]) * along[1];
  const share = length ? Math.min(1, Math.max(0, dot / length)) : 0;
  return Math.hypot(point[0] - from[0] - share * along[0], point[1] - from[1] - share * along[1]);
}

/** Codes as an image of one canvas pixel each; without three channels the mean of all. */
function drawCodes(canvas, { data, channels, rows, columns, strides }, codes) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const grey = (code) => (255 * (code - data.lowest)) / (data.highest - data.lowest);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (channel) => codes[channel * strides[0] + row * strides[1] + column * strides[2]];
      const shades = Array.from({ length: channels }, (_, channel) => grey(at(channel)));
      const mean = shades.reduce((sum, shade) => sum + shade, 0) / channels;
      const place = 4 * (row * columns + column);
      for (let part = 0; part < 3; part++) image.data[place + part] = channels === 3 ? shades[part] : mean;
      image.data[place + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}
