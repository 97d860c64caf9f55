// node/bench.mjs: its figures, and that it measures what the native bench does.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { importSource } from './bundle.mjs';

const program = fileURLToPath(new URL('../dist/bench_node.js', import.meta.url));
const model = fileURLToPath(new URL('../../tests/golden/llama2', import.meta.url));

test('a report, and the same again beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'handloom-bench-'));
  try {
    const file = join(folder, 'report.json');
    const words = [program, model, '--contexts', '8,40', '--tokens', '8', '--prompt', '16', '--repeats', '2', '--precision', 'f32'];
    execFileSync(process.execPath, [...words, '--json', file], { stdio: 'pipe' });
    const report = JSON.parse(readFileSync(file, 'utf8'));
    assert.deepEqual(report.figures.map(({ name, tokens }) => `${name} ${tokens}`), [
      'load 0',
      'first token 16',
      'prefill 16',
      'decode 8',
      'decode 40',
    ]);
    for (const { median, least, most } of report.figures) assert.ok(least > 0 && least <= median && median <= most);
    assert.equal(report.check.ids.length, 32);
    const text = execFileSync(process.execPath, [...words, '--compare', file], { encoding: 'utf8', stdio: 'pipe' });
    assert.match(text, /\ndecode after 40 .*tok\/s.*\d\.\d\dx.*GB\/s/);
    assert.match(text, /\ncheck: 32 of 32 ids are those of Node/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the same in a browser', () => {
  const words = ['--contexts', '8', '--tokens', '8', '--prompt', '16', '--repeats', '1', '--precision', 'f32'];
  const text = execFileSync(process.execPath, [program, model, ...words, '--browser', '/usr/bin/chromium'], { encoding: 'utf8' });
  assert.match(text, /^llama2 \(llama\)/);
  assert.match(text, /\nChromium [\d.]+, Dawn as browser; .*swiftshader/);
  assert.match(text, /\ndecode after 8 .*tok\/s/);
});

test('what cannot be measured is said in one sentence', () => {
  for (const [words, sentence] of [
    [[], 'bench: no model, expected a folder or a .gguf file first'],
    [[model, '--dawn', 'fast'], "bench: 'dawn' is 'fast', expected native or browser"],
    [[model, '--browser', '/usr/bin/chromium', '--adapter', 'x'], "bench: 'adapter' is not for a browser, which chooses its own; leave it out"],
    [[model, '--tokens'], "bench: '--tokens' has no value"],
    [[model, '--plan', 'fast'], "bench: 'plan' is 'fast', expected plain or fused"],
  ]) {
    const { status, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.equal(stderr.trim(), sentence);
  }
});

test('the tokens are those that the native bench makes up', async () => {
  const { madeUpIds } = await importSource('../pages/lib/made_up.ts');
  const ids = madeUpIds(4001, 2 ** 32);
  // By base/random.h.
  assert.deepEqual([0, 1, 2, 3, 4000].map((i) => ids[i]), [188542915, 3541482852, 4167947378, 2233084036, 4084215864]);
});
