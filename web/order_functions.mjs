// The functions of a WebAssembly module in an order in which each is like the one before it: gzip finds
// a repetition only within 32 kB, and spends fewer bits on a near one. What they compute is the same.
const kNameSection = 0, kImportSection = 2, kCodeSection = 10;
const kGramBytes = 3; // a sequence that two functions may have in common
const kShortBytes = 20; // shorter functions are not as like as they look

/** Reads unsigned LEB128 numbers and what lies between them. */
class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  number() {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

function sectionsOf(wasm) {
  const reader = new Reader(wasm, 8), sections = new Map();
  while (reader.at < wasm.length) {
    const id = reader.number();
    sections.set(id, reader.take(reader.number()));
  }
  return sections;
}

function bodiesOf(code) {
  const reader = new Reader(code);
  return Array.from({ length: reader.number() }, () => reader.take(reader.number()));
}

/** handloom.wasm imports functions alone. */
function importedFunctions(imports) {
  return new Reader(imports).number();
}

/** Of each body the sequences of kGramBytes that others have, too. */
function sharedGrams(bodies) {
  const owners = new Map(); // of each sequence the bodies, by index
  bodies.forEach((body, index) => {
    for (let at = 0; at + kGramBytes <= body.length; ++at) {
      const gram = body.readUIntLE(at, kGramBytes), known = owners.get(gram);
      if (known === undefined) owners.set(gram, [index]);
      else if (known.at(-1) !== index) known.push(index);
    }
  });
  const grams = bodies.map(() => []);
  for (const those of owners.values()) {
    if (those.length > 1) for (const index of those) grams[index].push(those);
  }
  return grams;
}

/** The indices of `bodies`, each followed by the one that has most in common with it for its length. */
function similarOrder(bodies) {
  const grams = sharedGrams(bodies), order = [], left = new Set(bodies.keys());
  for (let last = 0; ; ) {
    order.push(last);
    left.delete(last);
    if (left.size === 0) return order;
    const likeness = new Float64Array(bodies.length);
    for (const owners of grams[last]) for (const index of owners) likeness[index] += 1 / Math.log2(1 + owners.length);
    let best = -1;
    for (const index of left) {
      const value = likeness[index] / (bodies[index].length + kShortBytes);
      if (value > best) [best, last] = [value, index];
    }
  }
}

function leb(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}
const counted = (bytes) => Buffer.concat([leb(bytes.length), bytes]);

/**
 * `wasm` with a name for each function that says its place: wasm-opt --reorder-functions-by-name puts them
 * there, and leaves the names out.
 */
export function nameByPlace(wasm) {
  const sections = sectionsOf(wasm), first = importedFunctions(sections.get(kImportSection));
  const order = similarOrder(bodiesOf(sections.get(kCodeSection)));
  const places = [];
  order.forEach((index, place) => (places[index] = place));
  const names = places.map((place, index) =>
    Buffer.concat([leb(first + index), counted(Buffer.from(String(place).padStart(8, '0')))]));
  const functions = counted(Buffer.concat([leb(names.length), ...names]));
  const section = Buffer.concat([counted(Buffer.from('name')), Buffer.from([1]), functions]);
  return Buffer.concat([wasm, Buffer.from([kNameSection]), counted(section)]);
}
