// What the grids show of a circuit: comparators, maps, layers, counted bits.

const MOST_SHEETS = 16;
const MOST_COLUMNS = 400;
const WIDER = 2.5;

function* each(count, make) {
  for (let i = 0; i < count; i++) yield make(i);
}

/** A list for each key. */
function grouped(keys) {
  const groups = new Map();
  keys.forEach((key, place) => (groups.has(key) ? groups.get(key).push(place) : groups.set(key, [place])));
  return groups;
}

class Grids {
  constructor(data, wiring, naming) {
    Object.assign(this, { data, wiring, naming, circuit: wiring.circuit, last: wiring.last });
  }

  /** What `Grid` takes, for each part of the circuit that there is. */
  all() {
    const encoder = this.circuit.layers.length ? this.#maps() : [this.#comparators()];
    const found = [...encoder, ...this.#layers(), this.#sums()];
    return found.filter((one) => one.sheets.some((sheet) => sheet.cells.count));
  }

  #sheet(rows, columns, title, refs) {
    return { rows, columns, title, cells: new Cells(this.wiring, rows * columns, refs) };
  }

  /** A sheet of nets that have no places of their own. */
  #flat(count, refs, title = "") {
    const columns = Math.max(1, Math.ceil(Math.sqrt(count * WIDER)));
    const cells = new Cells(this.wiring, count, refs);
    return { rows: Math.max(1, Math.ceil(count / columns)), columns, title, cells };
  }

  #net(net) {
    return { part: this.last, position: 0, net };
  }

  /** The comparators of whole samples: at their pixels, a sheet for each rank; a column for a feature; in any rows. */
  #comparators() {
    const { compareFeature, compareThreshold, comparators } = this.circuit.body;
    const byFeature = grouped(compareFeature);
    for (const cells of byFeature.values()) cells.sort((a, b) => compareThreshold[a] - compareThreshold[b]);
    const features = [...byFeature.keys()].sort((a, b) => a - b);
    const most = features.reduce((longest, feature) => Math.max(longest, byFeature.get(feature).length), 0);
    const ranked = (feature, rank) => {
      const cell = byFeature.get(feature)?.[rank];
      return cell === undefined ? null : this.#net(2 + cell);
    };
    const grid = { title: "Comparators", kind: "encoder" };
    if (this.data.image && most <= MOST_SHEETS) {
      const note = "One sheet for each threshold of a pixel, the lowest first.";
      return { ...grid, note, sheets: [...each(most, (rank) => this.#pixels((feature) => ranked(feature, rank)))] };
    }
    if (!this.data.image && features.length <= MOST_COLUMNS && most > 1) {
      const note = "A column for each feature that is read, the lowest threshold at the bottom.";
      const ref = (i) => ranked(features[i % features.length], most - 1 - Math.floor(i / features.length));
      return { ...grid, note, sheets: [this.#sheet(most, features.length, "", each(most * features.length, ref))] };
    }
    const nets = features.flatMap((feature) => byFeature.get(feature).map((cell) => this.#net(2 + cell)));
    return { ...grid, loose: true, sheets: [this.#flat(comparators, nets)] };
  }

  /** A net for each pixel, the channels side by side. */
  #pixels(ref) {
    const { channels, rows, columns, strides } = this.data.image;
    const wide = channels * columns;
    const place = (i) => {
      const row = Math.floor(i / wide);
      const channel = Math.floor((i % wide) / columns);
      return ref(channel * strides[0] + row * strides[1] + (i % columns) * strides[2]);
    };
    return this.#sheet(rows, wide, "", each(rows * wide, place));
  }

  /** The maps of images: a sheet for each channel. */
  #maps() {
    return this.circuit.maps.slice(1).map(([channels, rows, columns], map) => {
      const sheets = each(channels, (channel) => {
        const first = this.circuit.bitOffsets[map] + channel * rows * columns;
        const refs = each(rows * columns, (place) => this.wiring.ofBit(first + place));
        return this.#sheet(rows, columns, map ? "" : this.#channel(channel), refs);
      });
      const { source, window } = this.circuit.layers[map];
      const from = source > 1 ? `map ${source - 1}` : "the encoded image";
      const size = `${channels === 1 ? "one channel" : `${channels} channels`} of ${rows} × ${columns}`;
      const note = map ? `${size}, each bit from ${window.join(" × ")} of ${from}` : `The comparators: ${size}`;
      const titled = map ? { title: `Map ${map}`, kind: "kernel" } : { title: "Encoded image", kind: "encoder" };
      return { ...titled, note, sheets: [...sheets] };
    });
  }

  /** What a channel of the encoded image is. */
  #channel(channel) {
    const [part] = this.circuit.parts;
    const net = part.headNets[channel];
    if (net < 2) return `always ${net}`;
    const colour = part.compareFeature[net - 2];
    const names = { 1: [""], 3: ["red ", "green ", "blue "] }[this.circuit.maps[0][0]];
    const bit = part.compareBit[net - 2];
    return `${names ? names[colour] : `colour ${colour} `}${bit ? `bit ${bit - 1}` : `≥ ${part.compareThreshold[net - 2]}`}`;
  }

  /** The LUTs of the body, a grid for each layer of the model. */
  #layers() {
    const { body } = this.circuit;
    const layers = grouped(body.layer);
    return [...layers.keys()]
      .sort((a, b) => a - b)
      .map((layer) => {
        const luts = layers.get(layer).sort((a, b) => body.node[a] - body.node[b]);
        const sheet = this.#flat(
          luts.length,
          each(luts.length, (place) => this.#net(body.firstLut + luts[place])),
        );
        const title = layer > 0 ? `Layer ${layer}` : "LUTs of the export";
        return { title, kind: "layer", loose: true, sheets: [sheet] };
      });
  }

  /** The bits that each score counts. */
  #sums() {
    const { headOffsets, headNets } = this.circuit.body;
    const sheets = each(this.circuit.scores.length, (score) => {
      const nets = headNets.subarray(headOffsets[score], headOffsets[score + 1]);
      const refs = each(nets.length, (place) => this.wiring.resolve(this.last, 0, nets[place]));
      return this.#flat(nets.length, refs, this.naming.score(score));
    });
    const note = "A sheet for each score: its value is the number of ones.";
    return { title: "Counted bits", kind: "sum", note, sheets: [...sheets] };
  }
}
