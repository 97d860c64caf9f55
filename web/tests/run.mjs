// The runner behind tests/run: TAP on standard output, exit status 1 if anything failed.
import { readdirSync } from 'node:fs';
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

const files = names(process.argv.slice(2)).map((name) => `${here}${name}${kEnding}`);
const tests = run({ files, concurrency: 2 });
tests.on('test:fail', () => (process.exitCode = 1));
tests.compose(tap).pipe(process.stdout);
