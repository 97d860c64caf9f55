// What the engine asks of its host but the GPU (src/base/web_host.h, module "host"): what it needs
// to know of Unicode, regular expressions, and WASI's clock.
import type { Memory } from './memory.js';
import { toRegExp } from './regex.js';

const kForms = ['NFC', 'NFD', 'NFKC', 'NFKD'];

/** In the order of the bits of host_classes. */
const kClasses = [
  /\p{White_Space}/u,
  /\p{P}/u,
  /\p{N}/u,
  /\p{M}/u,
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u,
];

/** Bytes of UTF-8 that the UTF-16 unit `i` of `text` begins, 0 for the second of a pair. */
function utf8Bytes(text: string, i: number): number {
  const unit = text.charCodeAt(i);
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  if (unit >= 0xd800 && unit < 0xdc00) return 4;
  return unit >= 0xdc00 && unit < 0xe000 ? 0 : 3;
}

/** Matches as byte offsets; an empty one right after another does not count. */
function findAll(regex: RegExp, text: string): Uint32Array {
  const ends: number[] = [];
  let unit = 0, byte = 0, lastEnd = -1;
  const byteAt = (to: number) => {
    for (; unit < to; unit++) byte += utf8Bytes(text, unit);
    return byte;
  };
  for (const match of text.matchAll(regex)) {
    const begin = match.index!, end = begin + match[0].length;
    if (begin === end && begin === lastEnd) continue;
    ends.push(byteAt(begin), byteAt(end));
    lastEnd = end;
  }
  return Uint32Array.from(ends);
}

/** The shortest text that is `value`, of an f32 where `isF32`; or as printf's %.*f and %.*g have it. */
function formatNumber(value: number, isF32: boolean, form: string, digits: number): string {
  if (form === 'f') return value.toFixed(digits);
  if (form === 'g') return String(Number(value.toPrecision(digits)));
  if (isF32) {
    for (let n = 1; n < 9; n++) {
      const short = Number(value.toPrecision(n));
      if (Math.fround(short) === value) return String(short);
    }
  }
  return String(value);
}

export function hostImports(memory: Memory): WebAssembly.Imports {
  const regexes = new Map<number, RegExp>();
  let nextRegex = 1;
  let regexError = '';
  const host = {
    normalize: (at: number, n: number, form: number) =>
      memory.block(memory.text(at, n).normalize(kForms[form])),
    lowercase: (at: number, n: number) =>
      memory.block(Array.from(memory.text(at, n), (c) => c.toLowerCase()).join('')),
    classes: (code: number) => {
      const character = String.fromCodePoint(code);
      return kClasses.reduce((sum, c, bit) => sum + (c.test(character) ? 1 << bit : 0), 0);
    },
    format_number: (value: number, isF32: number, form: number, digits: number) =>
      memory.block(formatNumber(value, isF32 !== 0, String.fromCharCode(form), digits)),
    parse_number: (at: number, n: number) => Number(memory.text(at, n)),
    regex_compile: (at: number, n: number) => {
      try {
        regexes.set(nextRegex, toRegExp(memory.text(at, n)));
        return nextRegex++;
      } catch (error) {
        regexError = (error as Error).message;
        return 0;
      }
    },
    regex_error: () => memory.block(regexError),
    regex_free: (id: number) => void regexes.delete(id),
    regex_find_all: (id: number, at: number, n: number) => {
      const ends = findAll(regexes.get(id)!, memory.text(at, n));
      return memory.block(new Uint8Array(ends.buffer));
    },
  };
  // wasi-libc's own imports. Nothing is ever printed.
  const wasi = {
    clock_time_get: (_clock: number, _precision: bigint, at: number) => {
      memory.view().setBigUint64(at, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    environ_get: () => 0,
    environ_sizes_get: (count: number, bytes: number) => {
      memory.view().setUint32(count, 0, true);
      memory.view().setUint32(bytes, 0, true);
      return 0;
    },
    fd_close: () => 8,
    fd_seek: () => 8,
    fd_write: () => 8,
    proc_exit: (code: number) => {
      throw new Error(`the engine ended with ${code}`);
    },
  };
  return { host, math: Math as unknown as WebAssembly.ModuleImports, wasi_snapshot_preview1: wasi };
}
