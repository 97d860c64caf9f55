// A conversation, kept in this browser.
import type { Message } from '../../src/index.js';

const kKey = 'handloom chat';

export interface Turn extends Message {
  /** What an answer was like: speed and bandwidth. */
  figures?: string;
}

export function keptTurns(): Turn[] {
  try {
    return JSON.parse(localStorage.getItem(kKey) ?? '[]') as Turn[];
  } catch {
    return []; // of another version
  }
}

export function keepTurns(turns: Turn[]): void {
  try {
    localStorage.setItem(kKey, JSON.stringify(turns));
  } catch {
    localStorage.removeItem(kKey); // too long: rather none than half of one
  }
}
