// Who is connected with whom, in words. A net is known by its part, position and number; wires that only hand a bit of
// a map to a kernel are passed over, so that what is connected are LUTs, comparators of codes, and scores.

const CONSTANT = { part: -1, position: 0 };

class Wiring {
  constructor(circuit, naming) {
    this.circuit = circuit;
    this.naming = naming;
    this.last = circuit.parts.length - 1;
    this.readersOf = new Map();
  }

  /** What drives a net: itself, or the source of a wire. */
  resolve(part, position, net) {
    if (net < 2) return { ...CONSTANT, net };
    const netlist = this.circuit.parts[part];
    if (net >= netlist.firstLut || this.readsCodes(part)) return { part, position, net };
    const feature = netlist.compareFeature[net - 2];
    if (part === this.last) return this.ofBit(this.circuit.bodyBits[feature]);
    const layer = this.circuit.layers[part];
    const there = this.circuit.windowed(layer, part, position, feature);
    return there < 0 ? { ...CONSTANT, net: 0 } : this.ofBit(this.circuit.bitOffsets[layer.source - 1] + there);
  }

  /** Whether the comparators of a part read codes. */
  readsCodes(part) {
    return this.circuit.layers.length ? part < this.last && this.circuit.layers[part].source === 0 : true;
  }

  /** What drives a bit of the maps, of all of which the bits are counted on. */
  ofBit(bit) {
    const map = this.mapOf(bit);
    const [, rows, columns] = this.circuit.maps[map + 1];
    const inside = bit - this.circuit.bitOffsets[map];
    const channel = Math.floor(inside / (rows * columns));
    return this.resolve(map, inside % (rows * columns), this.circuit.parts[map].headNets[channel]);
  }

  mapOf(bit) {
    let map = 0;
    while (bit >= this.circuit.bitOffsets[map + 1]) map++;
    return map;
  }

  /** Where the value of a net is among those of its part; of a constant, which is in no part, the value. */
  index(ref) {
    return ref.part < 0 ? ref.net : ref.position * this.circuit.parts[ref.part].nets + ref.net;
  }

  /** The net whose value is there. */
  at(part, index) {
    if (part < 0) return { ...CONSTANT, net: index };
    const { nets } = this.circuit.parts[part];
    return { part, position: Math.floor(index / nets), net: index % nets };
  }

  value(ref) {
    return ref.part < 0 ? ref.net : this.circuit.values[ref.part][this.index(ref)];
  }

  /** The LUT that a net is the output of; -1 for a comparator or a constant. */
  lut(ref) {
    return ref.part < 0 ? -1 : ref.net - this.circuit.parts[ref.part].firstLut;
  }

  /** Of a comparator its feature, its code, its threshold, and its bit, counted from 1, if it is one. */
  comparison(ref) {
    const part = this.circuit.parts[ref.part];
    const cell = ref.net - 2;
    const own = part.compareFeature[cell];
    const layer = this.circuit.layers[ref.part];
    const feature = layer ? this.circuit.windowed(layer, ref.part, ref.position, own) : own;
    const bit = part.compareBit[cell];
    return { feature, code: this.circuit.codes[feature], threshold: part.compareThreshold[cell], bit };
  }

  inputs(ref) {
    const lut = this.lut(ref);
    if (lut < 0) return [];
    return Array.from(this.circuit.parts[ref.part].fanins(lut), (net) => this.resolve(ref.part, ref.position, net));
  }

  /** What reads a net: nets, and scores with how often they count it. */
  readers(ref) {
    const found = { nets: new Map(), scores: new Map() };
    if (ref.part >= 0) this.#collect(ref.part, ref.position, ref.net, found);
    return { nets: [...found.nets.values()], scores: [...found.scores] };
  }

  #collect(part, position, net, found) {
    const netlist = this.circuit.parts[part];
    const { starts, luts, heads } = this.#readers(part);
    for (let i = starts[net]; i < starts[net + 1]; i++) {
      const ref = { part, position, net: netlist.firstLut + luts[i] };
      found.nets.set(refKey(ref), ref);
    }
    for (const head of heads.get(net) || []) {
      if (part === this.last) found.scores.set(head, (found.scores.get(head) || 0) + 1);
      else this.#collectBit(part, head * this.circuit.positions[part] + position, found);
    }
  }

  /** Readers of a bit of the map that a part makes. */
  #collectBit(map, inside, found) {
    const bit = this.circuit.bitOffsets[map] + inside;
    const place = search(this.circuit.bodyBits, bit);
    if (place >= 0) this.#collectWire(this.last, 0, place, found);
    this.circuit.layers.forEach((layer, part) => {
      if (layer.source !== map + 1) return;
      for (const [position, feature] of this.#windowsWith(layer, part, inside)) {
        this.#collectWire(part, position, feature, found);
      }
    });
  }

  #collectWire(part, position, feature, found) {
    for (const net of this.#readers(part).wires.get(feature) || []) this.#collect(part, position, net, found);
  }

  /** The positions whose windows hold a bit of the source, with the feature that it is there. */
  *#windowsWith(layer, part, inside) {
    const [, rows, columns] = this.circuit.maps[layer.source];
    const [, high, wide] = this.circuit.maps[part + 1];
    const channel = Math.floor(inside / (rows * columns));
    const y = Math.floor(inside / columns) % rows;
    const x = inside % columns;
    for (let i = 0; i < layer.window[0]; i++) {
      for (let j = 0; j < layer.window[1]; j++) {
        const down = (y + layer.padding[0] - i) / layer.stride[0];
        const across = (x + layer.padding[1] - j) / layer.stride[1];
        if (!Number.isInteger(down) || !Number.isInteger(across)) continue;
        if (down < 0 || down >= high || across < 0 || across >= wide) continue;
        yield [down * wide + across, (channel * layer.window[0] + i) * layer.window[1] + j];
      }
    }
  }

  /** For every net of a part the LUTs that read it, the scores that count it, and for features their comparator. */
  #readers(place) {
    if (!this.readersOf.has(place)) this.readersOf.set(place, readersOf(this.circuit.parts[place]));
    return this.readersOf.get(place);
  }

  name(ref) {
    if (ref.part < 0) return `constant ${ref.net}`;
    const lut = this.lut(ref);
    const part = this.circuit.parts[ref.part];
    if (lut < 0) {
      const { feature, threshold, bit } = this.comparison(ref);
      return this.naming.comparison(feature, threshold, bit);
    }
    const own = part.layer[lut] > 0 ? `L${part.layer[lut]}.${part.node[lut]}` : `LUT ${lut} of the export`;
    if (ref.part === this.last) return own;
    const width = this.circuit.maps[ref.part + 1][2];
    return `${own} at (${Math.floor(ref.position / width)}, ${ref.position % width})`;
  }
}

function refKey(ref) {
  return `${ref.part}/${ref.position}/${ref.net}`;
}

/** The place of a value among ascending ones, -1 if it is not there. */
function search(ascending, value) {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < value) low = middle + 1;
    else high = middle;
  }
  return ascending[low] === value ? low : -1;
}

function readersOf(part) {
  const starts = new Uint32Array(part.nets + 1);
  const luts = new Uint32Array(part.fanin.length);
  for (const net of part.fanin) starts[net + 1]++;
  for (let net = 0; net < part.nets; net++) starts[net + 1] += starts[net];
  const next = starts.slice();
  for (let lut = 0; lut < part.luts; lut++) for (const net of part.fanins(lut)) luts[next[net]++] = lut;
  const heads = new Map();
  const wires = new Map();
  const add = (lists, key, value) => (lists.has(key) ? lists.get(key).push(value) : lists.set(key, [value]));
  for (let score = 0; score + 1 < part.headOffsets.length; score++) {
    for (let i = part.headOffsets[score]; i < part.headOffsets[score + 1]; i++) {
      add(heads, part.headNets[i], score);
    }
  }
  part.compareFeature.forEach((feature, cell) => add(wires, feature, 2 + cell));
  return { starts, luts, heads, wires };
}
