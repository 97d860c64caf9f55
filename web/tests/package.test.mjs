// What npm would publish: the built package, its types, and nothing to install beside it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const about = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const run = (command, args, cwd = root) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });

test('the package holds the runtime and its types, and nothing else', () => {
  const [{ files }] = JSON.parse(run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']));
  const paths = files.map(({ path }) => path);
  for (const path of ['dist/handloom.js', 'dist/worker.js', 'dist/handloom.wasm', 'dist/types/src/index.d.ts', 'README.md']) {
    assert.ok(paths.includes(path), `${path} is missing from ${paths.join(' ')}`);
  }
  const extra = paths.filter((path) => !/^(package\.json|README\.md|dist\/(handloom|worker|chunk-\w+)\.js|dist\/handloom\.wasm|dist\/types\/src\/\w+\.d\.ts)$/.test(path));
  assert.deepEqual(extra, []);
});

test('nothing is installed with it', () => {
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(about[kind], undefined);
});

test('what the runtime imports is its own, or of Node', () => {
  for (const file of ['handloom.js', 'worker.js']) {
    const text = readFileSync(`${root}dist/${file}`, 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) assert.match(name, /^(\.\/|node:)/);
  }
});

test('a strict program is checked against its types', () => {
  const folder = mkdtempSync(join(tmpdir(), 'handloom-types-'));
  try {
    writeFileSync(join(folder, 'program.ts'), `
import { Chat, HandloomError, checkCapabilities, loadModel, type ErrorCode } from '${root}dist/types/src/index.js';
export async function ask(file: File, signal: AbortSignal): Promise<string> {
  if (!(await checkCapabilities()).supported) throw new HandloomError('unsupported', 'no');
  const model = await loadModel([file], { signal, context: 512, kv: 'int8', precision: 'f32', hubUrl: 'x', token: 'y' });
  const session = await model.createSession();
  const stream = session.generate('Hello', { maxTokens: 8, stop: ['.'] });
  let text = '';
  for await (const piece of stream) text += piece.text;
  const { stats, finishReason } = await stream.result;
  for await (const chunk of await new Chat(model).completions.create({ messages: [], stream: true })) {
    text += chunk.choices[0].delta.content ?? '';
  }
  const code: ErrorCode = 'aborted';
  await model.dispose();
  return text + code + finishReason + stats.decodeMs.toFixed();
}
// @ts-expect-error: there is no such type of cache
export const wrong = loadModel('owner/name', { kv: 'q2' });
`);
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        module: 'nodenext',
        lib: ['es2023', 'dom', 'dom.asynciterable'],
        types: [], // not those of WebGPU, either: most programs have none
        strict: true,
        noEmit: true,
      },
      files: ['program.ts'],
    }));
    run(`${root}node_modules/.bin/tsc`, [], folder);
  } catch (error) {
    assert.fail(error.stdout || error.message);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
