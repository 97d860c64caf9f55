// node build.mjs [--check]   builds dist/: the package (handloom.js, worker.js, handloom.wasm, types/)
// and the pages. Prints what the runtime weighs; with --check, fails above the limit.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { buildPages } from './pages/build.mjs';

const kLimitBytes = 150_000;
const root = fileURLToPath(new URL('.', import.meta.url));
const out = `${root}dist/`;

const common = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  legalComments: 'none',
  external: ['node:*'],
  logLevel: 'warning',
  outdir: out,
};

mkdirSync(out, { recursive: true });
for (const old of readdirSync(out).filter((name) => name.startsWith('chunk'))) rmSync(out + old);
await build({
  ...common,
  entryPoints: { handloom: 'src/index.ts', worker: 'src/worker.ts' },
  splitting: true, // what both need stands once
  chunkNames: 'chunk-[hash]',
});
await buildPages(common);
// inspect.wasm is for the pages that look inside: no part of the runtime.
for (const file of ['handloom.wasm', 'inspect.wasm']) copyFileSync(`${root}../build/wasm/${file}`, out + file);

let total = 0;
const chunks = readdirSync(out).filter((name) => /^chunk-.*\.js$/.test(name));
for (const file of ['handloom.js', 'worker.js', ...chunks, 'handloom.wasm']) {
  const bytes = gzipSync(readFileSync(out + file), { level: 9 }).length;
  total += bytes;
  console.log(`${file.padEnd(18)} ${(bytes / 1000).toFixed(1).padStart(6)} kB gzip`);
}
console.log(`${'runtime'.padEnd(18)} ${(total / 1000).toFixed(1).padStart(6)} kB gzip, at most ${kLimitBytes / 1000}`);
if (total > kLimitBytes) {
  console.log(`the runtime is ${((total - kLimitBytes) / 1000).toFixed(1)} kB above its limit`);
  if (process.argv.includes('--check')) process.exitCode = 1;
}
