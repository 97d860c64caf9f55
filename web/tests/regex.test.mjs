// Patterns of tokenizers as RegExp: what the published ones need that JavaScript has otherwise.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { importSource } from './bundle.mjs';

const { toRegExp } = await importSource('regex.ts');

const split = (pattern, text) => text.match(toRegExp(pattern));

// As regex_dialect.cpp leaves them: \s, \d and \w are properties by then.
const kWhite = String.raw`\p{White_Space}`;
const kLlama3 =
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^${kWhite}\p{L}\p{N}]+[\r\n]*|` +
  String.raw`${kWhite}*[\r\n]+|${kWhite}+(?!\P{White_Space})|${kWhite}+`;
const kPossessive = String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^${kWhite}\p{L}\p{N}]++[\r\n]*+`;

test("Llama 3's pattern", () => {
  assert.deepEqual(split(kLlama3, "I'LL say: 12345 words!\n\n  ok "), [
    'I', "'LL", ' say', ':', ' ', '123', '45', ' words', '!\n\n', ' ', ' ok', ' ',
  ]);
});

test('possessive quantifiers never give back', () => {
  assert.deepEqual(split(kPossessive, "don'T 1234!!"), ['don', "'T", '123', '4', '!!']);
  assert.equal(split('a++ab', 'aaab'), null);
  assert.deepEqual(split('(?:ab)*+c', 'ababc'), ['ababc']);
  assert.equal(split('(?:ab)*+abc', 'ababc'), null);
});

test('case is ignored where the pattern says so, and only there', () => {
  assert.deepEqual(split('(?i:Re)x', 'rEx REX rex'), ['rEx', 'rex']);
  assert.deepEqual(split("(?i:'s)", "'S 's '\u017f"), ["'S", "'s", "'\u017f"]);
});

test('a dot and the ends of lines know "\\n" alone', () => {
  assert.deepEqual(split('.+', 'a\r\u2028b\nc'), ['a\r\u2028b', 'c']);
  assert.deepEqual(split('(?s:a.)b.|.', 'a\nb\n'), ['a', 'b']);
  assert.deepEqual(split('(?s:a.)b', 'a\nb'), ['a\nb']);
  assert.deepEqual(split('(?s)a.(?-s:b.)', 'a\nb\na\nbc'), ['a\nbc']);
  assert.deepEqual(split('^.|.$', 'ab\r\ncd'), ['a', '\r', 'c', 'd']);
});

test('escapes that JavaScript refuses', () => {
  assert.deepEqual(split(String.raw`\'\"\-[\-\'\]]\x{e9}`, `'"-]\u00e9`), [`'"-]\u00e9`]);
  assert.deepEqual(split(String.raw`}]`, '}]'), ['}]']);
  assert.throws(() => toRegExp('(a'));
});
