// Tokens for measurements: those that the native bench takes (engine/bench.cpp).

/** base/random.h's random_bits(1, position, 0). */
function randomBits(position: number): number {
  const next = (word: number) => Math.imul(word, 1664525) + 1013904223;
  let [x, y, z, w] = [1, 0, position, 0].map(next);
  x += Math.imul(y, w);
  y += Math.imul(z, x);
  z += Math.imul(x, y);
  w += Math.imul(y, z);
  const mix = (word: number) => (word ^ (word >>> 16)) | 0;
  return (mix(x) + Math.imul(mix(y), mix(w))) >>> 0;
}

export function madeUpIds(n: number, vocabSize: number): number[] {
  return Array.from({ length: n }, (_, i) => randomBits(i) % vocabSize);
}
