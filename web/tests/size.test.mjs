// What the runtime weighs: JavaScript and WebAssembly, all models, tokenizers and templates.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('the runtime is within its limit', () => {
  const build = fileURLToPath(new URL('../build.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [build, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
