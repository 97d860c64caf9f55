// node build.mjs [--check]   builds dist/: the package (handloom.js, worker.js, handloom.wasm, types/),
// the pages and node/bench.mjs. Prints what the runtime weighs; with --check, fails above the limit.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { nameByPlace } from './order_functions.mjs';
import { buildPages } from './pages/build.mjs';

const kLimitBytes = 150_000;
const root = fileURLToPath(new URL('.', import.meta.url));
const out = `${root}dist/`;

const jinja = `${root}node_modules/@huggingface/jinja/src/`;
/** Of the template engine all but what writes a template down again. */
const withoutFormat = {
  name: 'jinja without format',
  setup(bundle) {
    bundle.onResolve({ filter: /^@huggingface\/jinja$/ }, () => ({ path: `${jinja}index.ts` }));
    bundle.onLoad({ filter: /jinja\/src\/format\.ts$/ }, () => ({ contents: 'export const format = undefined;' }));
  },
};

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
  plugins: [withoutFormat],
};

/** What wasm-opt makes of the linked engine: a few percent that the linker leaves. Half a minute. */
function optimise(linked, optimised) {
  if (existsSync(optimised) && statSync(optimised).mtimeMs > statSync(linked).mtimeMs) return;
  const features = ['simd', 'bulk-memory', 'nontrapping-float-to-int', 'sign-ext', 'mutable-globals', 'multivalue'];
  const tool = `${root}node_modules/binaryen/bin/wasm-opt`;
  const wasmOpt = (from, to, passes) =>
    execFileSync(process.execPath, [tool, ...features.map((name) => `--enable-${name}`), ...passes, from, '-o', to]);
  const named = `${linked}.named`;
  // Nothing lies in the first kilobyte; what is inlined hardly ever pays for itself.
  wasmOpt(linked, named, ['-Oz', '--low-memory-unused', '-ocimfs', '50', '-aimfs', '0']);
  writeFileSync(named, nameByPlace(readFileSync(named)));
  wasmOpt(named, optimised, ['--optimize-level=2', '--shrink-level=2', '--reorder-functions-by-name']);
  rmSync(named);
}

function commit() {
  try {
    return execFileSync('git', ['-C', root, 'describe', '--always', '--dirty', '--abbrev=7', '--exclude=*'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown'; // no clone, or no git
  }
}

const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const define = { HANDLOOM_VERSION: JSON.stringify(version), HANDLOOM_COMMIT: JSON.stringify(commit()) };

mkdirSync(out, { recursive: true });
for (const old of readdirSync(out).filter((name) => name.startsWith('chunk'))) rmSync(out + old);
await build({
  ...common,
  entryPoints: { handloom: 'src/index.ts', worker: 'src/worker.ts' },
  splitting: true, // what both need stands once
  chunkNames: 'chunk-[hash]',
});
await buildPages({ ...common, define });
await build({
  ...common,
  entryPoints: { bench_node: 'node/bench.mjs' },
  external: [...common.external, './handloom.js', '../serve.mjs', 'webgpu', 'playwright-core'],
  define,
});
optimise(`${root}../build/wasm/handloom.wasm`, `${out}handloom.wasm`);
// inspect.wasm is for the pages that look inside: no part of the runtime.
copyFileSync(`${root}../build/wasm/inspect.wasm`, `${out}inspect.wasm`);

let total = 0, totalBrotli = 0;
const kilobytes = (bytes) => (bytes / 1000).toFixed(1).padStart(6);
const chunks = readdirSync(out).filter((name) => /^chunk-.*\.js$/.test(name));
for (const file of ['handloom.js', 'worker.js', ...chunks, 'handloom.wasm']) {
  const content = readFileSync(out + file);
  const gzip = gzipSync(content, { level: 9 }).length, brotli = brotliCompressSync(content).length;
  total += gzip;
  totalBrotli += brotli;
  console.log(`${file.padEnd(18)} ${kilobytes(gzip)} kB gzip ${kilobytes(brotli)} kB brotli`);
}
console.log(
  `${'runtime'.padEnd(18)} ${kilobytes(total)} kB gzip ${kilobytes(totalBrotli)} kB brotli, at most ${kLimitBytes / 1000} gzip`,
);
if (total > kLimitBytes) {
  console.log(`the runtime is ${((total - kLimitBytes) / 1000).toFixed(1)} kB above its limit`);
  if (process.argv.includes('--check')) process.exitCode = 1;
}
