// The runner behind tests/run: TAP on standard output, exit status 1 if anything failed.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { tap } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const kEnding = '.test.mjs';

/** Those that take longest, first: what is left to the end is short, and neither core waits for the other. */
const kLongest = ['pages', 'download', 'servers', 'starter', 'chat', 'device'];
/** The chat page, what is kept of a download, every family's tokenizer and chat template, and what needs no GPU. */
const kQuick = ['chat', 'download', 'families', 'package', 'regex', 'sums', 'url_files'];

function names(words) {
  if (words[0] === '--quick') return kQuick;
  if (words.length > 0) return words;
  const all = readdirSync(here).filter((file) => file.endsWith(kEnding)).map((file) => file.slice(0, -kEnding.length));
  return [...kLongest, ...all.filter((name) => !kLongest.includes(name))];
}

/** All files together take some three minutes on two cores; one that hangs must not take the rest with it. */
const kLimitMs = 600_000;

const nameOf = (file) => basename(file, kEnding);
const files = names(process.argv.slice(2)).map((name) => `${here}${name}${kEnding}`);
const tests = run({ files, concurrency: 2, timeout: kLimitMs });

// Progress, at once: TAP comes file by file, in the order of the files.
const latest = new Map();
tests.on('test:dequeue', ({ name, file }) => {
  if (name === file) return; // the file itself
  latest.set(file, name);
  console.error(`# ${nameOf(file)}: ${name}`);
});
tests.on('test:fail', ({ name, file, details }) => {
  process.exitCode = 1;
  if (name === file && details.error.failureType === 'testTimeoutFailure') {
    console.error(`# ${nameOf(file)}: not done after ${kLimitMs / 1000} s, in "${latest.get(file) ?? 'no test'}"`);
  }
});
await pipeline(tests.compose(tap), process.stdout, { end: false });
// A file that hung may leave a process behind which does not listen, and would keep this one.
process.exit();
