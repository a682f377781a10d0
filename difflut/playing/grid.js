// Bits as cells of sheets on a canvas: 1 is a full square, 0 a dot, or darker and lighter where cells are small.

const EDGE = 3;
const GAP = 6;
const TITLE = 16;
const LARGEST_CELL = 14;
const TALLEST = 360;
const DOTTED = 5;
const MOST_FRAMES = 500;
const NO_MARKS = { chosen: [], inputs: [], readers: [] };

/**
 * One part of the picture. Its sheets have `rows`, `columns`, `title` and `cells`. If it is `loose`, the cells of its only sheet may be in rows of any length.
 */
class Grid {
  constructor({ title, kind, note = "", sheets, loose = false }, wiring, events) {
    Object.assign(this, { title, kind, sheets, loose, wiring, events });
    this.marks = NO_MARKS;
    this.cursor = null;
    this.count = element("span", { class: "count" });
    this.canvas = element("canvas", { tabindex: 0, role: "application", "aria-roledescription": "bits" });
    this.overlay = element("canvas", { class: "overlay", "aria-hidden": "true" });
    const heading = element("h3", {}, element("i", { class: kind }), title, " ", this.count);
    this.node = element(
      "div",
      { class: "grid" },
      heading,
      ...(note ? [element("p", { class: "note" }, note)] : []),
      element("div", { class: "stack" }, this.canvas, this.overlay),
    );
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") events.hover(this.#at(event)); // a finger that moves scrolls
    });
    this.canvas.addEventListener("pointerleave", () => events.hover(null));
    this.canvas.addEventListener("click", (event) => this.#choose(this.#find(event)));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("blur", () => events.hover(null));
  }

  /** Fit the sheets into a width: the largest cells of which they are not too high. */
  layout() {
    const width = Math.max(120, this.node.clientWidth - 2 * EDGE);
    let cell = LARGEST_CELL;
    while (cell > 1 && !this.#fits(cell, width)) cell--;
    this.cell = cell;
    const height = this.#place(cell, width);
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(this.right * this.ratio);
      canvas.height = Math.round(height * this.ratio);
      canvas.style.width = `${this.right}px`;
    }
    this.context = this.canvas.getContext("2d");
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.draw();
  }

  #fits(cell, width) {
    if (this.loose) this.#shape(Math.max(1, Math.floor(width / cell)));
    const widest = Math.max(...this.sheets.map((sheet) => sheet.columns));
    return widest * cell <= width && this.#place(cell, width) <= TALLEST;
  }

  /** Give the only sheet, of nets without places, so many columns. */
  #shape(columns) {
    const [sheet] = this.sheets;
    sheet.columns = Math.min(columns, sheet.cells.length);
    sheet.rows = Math.ceil(sheet.cells.length / sheet.columns);
  }

  /** Give every sheet its place; the height of all. */
  #place(cell, width) {
    let x = EDGE;
    let y = EDGE;
    let tallest = 0;
    this.right = 0;
    for (const sheet of this.sheets) {
      const wide = sheet.columns * cell;
      const top = sheet.title ? TITLE : 0;
      if (x > EDGE && x + wide > width + EDGE) [x, y, tallest] = [EDGE, y + tallest + GAP, 0];
      Object.assign(sheet, { x, y: y + top });
      tallest = Math.max(tallest, sheet.rows * cell + top);
      this.right = Math.max(this.right, x + wide + EDGE);
      x += wide + GAP;
    }
    return y + tallest + EDGE;
  }

  draw() {
    const shades = [colour("--off"), colour(`--${this.kind}`)];
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    let ones = 0;
    let count = 0;
    for (const sheet of this.sheets) {
      const bits = sheet.cells.bits();
      for (const bit of bits) ones += bit & 1;
      count += sheet.cells.count;
      if (sheet.title) this.#write(sheet);
      if (this.cell < DOTTED) this.#paint(sheet, bits, shades);
      else shades.forEach((shade, value) => this.#squares(sheet, bits, value, shade));
    }
    this.count.textContent = `${ones.toLocaleString("en")} of ${count.toLocaleString("en")} are 1`;
    const label = `${this.title}: ${this.count.textContent}. Arrow keys go to a bit, Enter holds it.`;
    this.canvas.setAttribute("aria-label", label);
    this.mark(this.marks);
  }

  #write(sheet) {
    const { context } = this;
    context.fillStyle = colour("--ink");
    context.font = "12px system-ui, sans-serif";
    context.fillText(sheet.title, sheet.x, sheet.y - 4, Math.max(20, sheet.columns * this.cell));
  }

  /** Small cells: an image of a pixel each, made larger. */
  #paint(sheet, bits, shades) {
    const made = new OffscreenCanvas(sheet.columns, sheet.rows);
    const context = made.getContext("2d");
    const image = context.createImageData(sheet.columns, sheet.rows);
    const rgb = shades.map((shade) => [1, 3, 5].map((place) => parseInt(shade.slice(place, place + 2), 16)));
    bits.forEach((bit, place) => {
      if (bit < 2) image.data.set([...rgb[bit], 255], 4 * place);
    });
    context.putImageData(image, 0, 0);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(made, sheet.x, sheet.y, sheet.columns * this.cell, sheet.rows * this.cell);
  }

  #squares(sheet, bits, value, shade) {
    const size = value ? this.cell - 1 : 2;
    const off = value ? 0 : (this.cell >> 1) - 1;
    this.context.fillStyle = shade;
    bits.forEach((bit, place) => {
      if (bit !== value) return;
      const [x, y] = this.#corner(sheet, place);
      this.context.fillRect(x + off, y + off, size, size);
    });
  }

  #corner(sheet, place) {
    const row = Math.floor(place / sheet.columns);
    return [sheet.x + (place - row * sheet.columns) * this.cell, sheet.y + row * this.cell];
  }

  /** Frame the chosen net, what it reads (solid), what reads it (dashed). */
  mark(marks) {
    this.marks = marks;
    const context = this.overlay.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    context.lineWidth = 2.5;
    const frame = (refs, shade, dashes) => {
      context.strokeStyle = colour(shade);
      context.setLineDash(dashes);
      for (const ref of refs.slice(0, MOST_FRAMES)) this.#frame(context, ref);
    };
    frame(marks.inputs, "--ink", []);
    frame(marks.readers, "--ink", [2, 2]);
    frame(marks.chosen, "--chosen", []);
  }

  #frame(context, ref) {
    const size = Math.max(this.cell, DOTTED) + 2;
    const off = (size - this.cell) / 2;
    for (const sheet of this.sheets) {
      for (const place of sheet.cells.places(ref)) {
        const [x, y] = this.#corner(sheet, place);
        context.strokeRect(x - off, y - off, size, size);
      }
    }
  }

  #find(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.right / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    for (const sheet of this.sheets) {
      const column = Math.floor((x - sheet.x) / this.cell);
      const row = Math.floor((y - sheet.y) / this.cell);
      if (row < 0 || row >= sheet.rows || column < 0 || column >= sheet.columns) continue;
      const place = row * sheet.columns + column;
      return sheet.cells.ref(place) ? { sheet, place } : null;
    }
    return null;
  }

  #at(event) {
    const found = this.#find(event);
    return found && found.sheet.cells.ref(found.place);
  }

  #choose(found) {
    this.cursor = found || this.cursor;
    this.events.choose(found && found.sheet.cells.ref(found.place));
  }

  #key(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === "Enter" && this.cursor) this.#choose(this.cursor);
    else if (event.key in moves) this.#move(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  /** Go on in a direction to the next cell that is no blank, past the end of a sheet to the next one. */
  #move(down, across) {
    let number = this.cursor ? this.sheets.indexOf(this.cursor.sheet) : 0;
    let place = this.cursor ? this.cursor.place : -1;
    for (;;) {
      const sheet = this.sheets[number];
      place = place < 0 && !this.cursor ? 0 : place + down * sheet.columns + across;
      if (place < 0 || place >= sheet.cells.length) {
        number += Math.sign(down + across);
        if (!this.sheets[number]) return;
        place = down + across > 0 ? 0 : this.sheets[number].cells.length - 1;
      }
      if (this.sheets[number].cells.ref(place)) break;
    }
    this.cursor = { sheet: this.sheets[number], place };
    this.events.hover(this.cursor.sheet.cells.ref(place));
  }
}
