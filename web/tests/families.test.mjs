// Every family's tiny model: it loads, its tokenizer (RegExp and String.normalize instead of PCRE2 and
// utf8proc) gives Hugging Face's ids, and its chat template, through @huggingface/jinja, its text.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { loadModel, renderChat } from '../dist/handloom.js';
import { gpu } from './adapter.mjs';

const golden = fileURLToPath(new URL('../../tests/golden/', import.meta.url));
const families = readdirSync(golden).filter((name) => existsSync(`${golden}${name}/model.safetensors`));

for (const family of families) {
  test(family, async () => {
    const model = await loadModel(golden + family, { adapter: gpu });
    const file = `${golden}${family}/tokenizer_reference.json`;
    const { cases, chats } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { cases: [], chats: [] };
    for (const one of cases) {
      assert.deepEqual(await model.encode(one.text), one.ids, one.text);
      assert.deepEqual(await model.encode(one.text, true), one.ids_with_specials, one.text);
      assert.equal(await model.decode(one.ids), one.decoded);
    }
    for (const { messages, add_generation_prompt, rendered } of chats) {
      if (add_generation_prompt) assert.equal(renderChat(model.info.chatTemplate, messages), rendered);
    }
    const session = await model.createSession();
    const { ids } = await session.generate('Hello', { temperature: 0, maxTokens: 4 }).result;
    assert.ok(ids.length > 0);
    await model.dispose();
  });
}

test('all families are here', () => assert.equal(families.length, 10));
