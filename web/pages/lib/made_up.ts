// Tokens for measurements: what they are costs no time.

/** Of the engine's counter-based kind, but plainer: any valid ids will do. */
export function madeUpIds(n: number, vocabSize: number): number[] {
  return Array.from({ length: n }, (_, i) => Math.imul(i + 1, 2654435761) % vocabSize).map(Math.abs);
}
