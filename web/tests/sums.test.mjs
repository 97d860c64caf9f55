// SHA-256 and MD5 against Node's own, for lengths around a block's and pieces of any size.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { importSource } from './bundle.mjs';

const sums = await importSource('sums.ts');

for (const name of ['sha256', 'md5']) {
  test(name, () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 70_001]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * i) >> 3);
      const sum = sums[name]();
      for (let at = 0, piece = 1; at < length; at += piece, piece = (piece * 7) % 131) {
        sum.add(bytes.subarray(at, at + piece));
      }
      assert.equal(sum.digest(), createHash(name).update(bytes).digest('hex'), `${length} bytes`);
    }
  });
}
