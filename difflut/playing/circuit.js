// The circuit: one sample from codes to scores and class word, every net kept. Knows nothing of the page.
//
// A part is a netlist: net 0 and 1 are constant, then come comparators, then LUTs, each behind those that it reads. Of
// images the first part makes the bits of a pixel, the next ones are kernels; a part runs at every position of the map
// that it makes, the last one, the body, once. `values` holds net n at position p at p * nets + n.

const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array };

/** The numbers of an array as packed.py writes it: base64 of little-endian numbers behind their type. */
function unpack(text) {
  const raw = atob(text.slice(3));
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new TYPES[text.slice(0, 2)](bytes.buffer);
}

class Part {
  constructor(data) {
    this.compareFeature = unpack(data.compare_feature);
    // Which bit of the code a comparator is, counted from 1; 0, or nothing at all, where it compares the whole code.
    this.compareBit = unpack(data.compare_bit);
    this.compareThreshold = unpack(data.compare_threshold);
    this.inputs = unpack(data.lut_inputs);
    this.fanin = unpack(data.lut_fanin);
    this.tables = unpack(data.lut_tables);
    this.layer = unpack(data.lut_layer);
    this.node = unpack(data.lut_node);
    this.headOffsets = unpack(data.head_offsets);
    this.headNets = unpack(data.head_nets);
    this.comparators = this.compareFeature.length;
    this.luts = this.inputs.length;
    this.firstLut = 2 + this.comparators;
    this.nets = this.firstLut + this.luts;
    // Where the inputs of a LUT start in `fanin`, and the bytes of its table in `tables`.
    this.offsets = new Uint32Array(this.luts + 1);
    this.tableOffsets = new Uint32Array(this.luts + 1);
    for (let lut = 0; lut < this.luts; lut++) {
      this.offsets[lut + 1] = this.offsets[lut] + this.inputs[lut];
      this.tableOffsets[lut + 1] = this.tableOffsets[lut] + Math.max(1, (1 << this.inputs[lut]) >> 3);
    }
  }

  /** Compute all nets from the values of the features, into `values` from `base` on. */
  run(features, values, base) {
    const { compareFeature, compareBit, compareThreshold, inputs, fanin, tables, tableOffsets } = this;
    values[base] = 0;
    values[base + 1] = 1;
    for (let i = 0; i < this.comparators; i++) {
      const code = features[compareFeature[i]];
      const bit = compareBit[i] ? (code >> (compareBit[i] - 1)) & 1 : code >= compareThreshold[i];
      values[base + 2 + i] = bit ? 1 : 0;
    }
    for (let lut = 0, feed = 0; lut < this.luts; lut++) {
      let address = 0;
      for (let i = 0; i < inputs[lut]; i++) address |= values[base + fanin[feed++]] << i;
      values[base + this.firstLut + lut] = (tables[tableOffsets[lut] + (address >> 3)] >> (address & 7)) & 1;
    }
  }

  /** The table of a LUT at an address. */
  table(lut, address) {
    return (this.tables[this.tableOffsets[lut] + (address >> 3)] >> (address & 7)) & 1;
  }

  /** The nets that a LUT reads, input 0 first. */
  fanins(lut) {
    return this.fanin.subarray(this.offsets[lut], this.offsets[lut + 1]);
  }
}

class Circuit {
  constructor(data) {
    this.features = data.features;
    this.codes = new Int32Array(data.features);
    // Channels, rows, columns of every map of images, the codes first; map m + 1 is what part m makes.
    this.maps = data.maps;
    this.layers = data.layers;
    this.parts = [...data.layers.map((layer) => new Part(layer.part)), new Part(data.body)];
    this.body = this.parts[this.parts.length - 1];
    this.bodyBits = unpack(data.body_bits);
    this.decisions = data.decisions;
    this.fieldBits = Math.max(1, Math.ceil(Math.log2(Math.max(1, ...data.decisions))));
    const pixels = this.layers.map((_, part) => this.maps[part + 1][1] * this.maps[part + 1][2]);
    this.positions = [...pixels, 1];
    this.values = this.parts.map((part, place) => new Uint8Array(part.nets * this.positions[place]));
    // The bits of all maps but the codes, one behind the other.
    this.bitOffsets = [0];
    for (const [channels, rows, columns] of this.maps.slice(1)) {
      this.bitOffsets.push(this.bitOffsets[this.bitOffsets.length - 1] + channels * rows * columns);
    }
    this.bits = new Uint8Array(this.bitOffsets[this.bitOffsets.length - 1]);
    this.bodyFeatures = new Uint8Array(this.bodyBits.length);
    this.windows = this.layers.map((layer, part) => this.#windows(layer, part));
    this.scores = new Int32Array(this.body.headOffsets.length - 1);
  }

  /** Run one sample, an array of codes. Returns its scores, and the class word in decimal digits. */
  run(codes) {
    this.codes = codes;
    this.layers.forEach((layer, part) => this.#slide(layer, part));
    this.bodyBits.forEach((bit, feature) => (this.bodyFeatures[feature] = this.bits[bit]));
    const features = this.layers.length ? this.bodyFeatures : codes;
    const values = this.values[this.values.length - 1];
    this.body.run(features, values, 0);
    const { headOffsets, headNets } = this.body;
    for (let score = 0; score < this.scores.length; score++) {
      this.scores[score] = 0;
      for (let i = headOffsets[score]; i < headOffsets[score + 1]; i++) this.scores[score] += values[headNets[i]];
    }
    return { scores: Array.from(this.scores), word: this.#word() };
  }

  /** The bits of a map, or the codes, which are map 0. */
  map(number) {
    return number ? this.bits.subarray(this.bitOffsets[number - 1], this.bitOffsets[number]) : this.codes;
  }

  /** Run a part at every position of its map. */
  #slide(layer, place) {
    const part = this.parts[place];
    const source = this.map(layer.source);
    const made = this.map(place + 1);
    const [, rows, columns] = this.maps[place + 1];
    const values = this.values[place];
    const features = new Int32Array(this.windowFeatures(layer));
    const windows = this.windows[place];
    for (let position = 0; position < rows * columns; position++) {
      for (let feature = 0; feature < features.length; feature++) {
        const there = windows[position * features.length + feature];
        features[feature] = there < 0 ? 0 : source[there];
      }
      part.run(features, values, position * part.nets);
      part.headNets.forEach((net, channel) => {
        made[channel * rows * columns + position] = values[position * part.nets + net];
      });
    }
  }

  windowFeatures(layer) {
    return this.maps[layer.source][0] * layer.window[0] * layer.window[1];
  }

  /** What each feature is at each position, see `windowed`. */
  #windows(layer, place) {
    const count = this.windowFeatures(layer);
    const all = new Int32Array(this.positions[place] * count);
    for (let i = 0; i < all.length; i++) all[i] = this.windowed(layer, place, Math.floor(i / count), i % count);
    return all;
  }

  /** The number, within the source map, of what a feature is at a position; -1 in the padding. */
  windowed(layer, place, position, feature) {
    const [, rows, columns] = this.maps[layer.source];
    const [high, wide] = layer.window;
    const channel = Math.floor(feature / (high * wide));
    const width = this.maps[place + 1][2];
    const y = Math.floor(position / width) * layer.stride[0] + (Math.floor(feature / wide) % high) - layer.padding[0];
    const x = (position % width) * layer.stride[1] + (feature % wide) - layer.padding[1];
    return y < 0 || y >= rows || x < 0 || x >= columns ? -1 : (channel * rows + y) * columns + x;
  }

  /** What is decided among neighbouring scores: the first of the largest ones, for each decision. */
  winners() {
    let first = 0;
    return this.decisions.map((count) => {
      let best = 0;
      for (let i = 1; i < count; i++) if (this.scores[first + i] > this.scores[first + best]) best = i;
      first += count;
      return best;
    });
  }

  #word() {
    let word = 0n;
    let place = 0n;
    this.winners().forEach((winner, decision) => {
      if (this.decisions[decision] < 2) return;
      word |= BigInt(winner) << place;
      place += BigInt(this.fieldBits);
    });
    return word.toString();
  }
}
