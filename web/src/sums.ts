// SHA-256 (FIPS 180-4) and MD5 (RFC 1321) of bytes that come in pieces: crypto.subtle wants them all at
// once. Both take blocks of 64 bytes as 16 words, and differ in the words' order and what a block does.

export interface Sum {
  add(bytes: Uint8Array): void;
  /** In hexadecimal digits. No more can be added. */
  digest(): string;
}

const kBlock = 64;

/** `compress`: changes the state by the block at `at`. */
function blockSum(state: Int32Array, littleEndian: boolean, compress: (bytes: DataView, at: number) => void): Sum {
  const rest = new Uint8Array(2 * kBlock); // what is not yet a block, and the end
  let held = 0, total = 0;
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const add = (bytes: Uint8Array) => {
    total += bytes.length;
    if (held > 0) {
      const missing = Math.min(kBlock - held, bytes.length);
      rest.set(bytes.subarray(0, missing), held);
      held += missing;
      bytes = bytes.subarray(missing);
      if (held < kBlock) return;
      compress(view(rest), 0);
    }
    const words = view(bytes);
    let at = 0;
    for (; at + kBlock <= bytes.length; at += kBlock) compress(words, at);
    rest.set(bytes.subarray(at));
    held = bytes.length - at;
  };
  const digest = () => {
    const end = view(rest);
    rest.fill(0, held);
    rest[held] = 0x80;
    const length = held < kBlock - 8 ? kBlock : 2 * kBlock;
    end.setBigUint64(length - 8, BigInt(total) * 8n, littleEndian);
    for (let at = 0; at < length; at += kBlock) compress(end, at);
    const out = new DataView(new ArrayBuffer(4));
    return Array.from(state, (word) => {
      out.setInt32(0, word, littleEndian);
      return out.getUint32(0).toString(16).padStart(8, '0');
    }).join('');
  };
  return { add, digest };
}

/** The first 32 bits of the fractional part. */
const fraction = (x: number) => Math.floor((x - Math.floor(x)) * 2 ** 32) | 0;

const kPrimes = Array.from({ length: 312 }, (_, n) => n).filter((n) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
});
const kShaRounds = Int32Array.from(kPrimes.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));

export function sha256(): Sum {
  const state = Int32Array.from(kPrimes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const w = new Int32Array(64);
  return blockSum(state, false, (bytes, at) => {
    for (let i = 0; i < 16; i++) w[i] = bytes.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3];
    let e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t = (h + s1 + ((e & f) ^ (~e & g)) + kShaRounds[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const u = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t) | 0;
      d = c; c = b; b = a; a = (t + u) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  });
}

const kMdRounds = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const kMdShifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

export function md5(): Sum {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const w = new Int32Array(16);
  return blockSum(state, true, (bytes, at) => {
    for (let i = 0; i < 16; i++) w[i] = bytes.getInt32(at + 4 * i, true);
    let a = state[0], b = state[1], c = state[2], d = state[3];
    for (let i = 0; i < 64; i++) {
      const kind = i >> 4;
      const mixed =
        kind === 0 ? (b & c) | (~b & d) : kind === 1 ? (d & b) | (~d & c) : kind === 2 ? b ^ c ^ d : c ^ (b | ~d);
      const word = kind === 0 ? i : kind === 1 ? 5 * i + 1 : kind === 2 ? 3 * i + 5 : 7 * i;
      const x = (a + mixed + kMdRounds[i] + w[word & 15]) | 0;
      const shift = kMdShifts[kind * 4 + (i & 3)];
      a = d; d = c; c = b;
      b = (b + ((x << shift) | (x >>> (32 - shift)))) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  });
}
