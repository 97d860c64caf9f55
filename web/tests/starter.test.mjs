// The package under Node, with the WebGPU of the package `webgpu`: the starter's greedy ids are those
// of the reference, as natively (tests/engine/starter_chats_test.cpp has the same rules).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Chat, HandloomError, loadModel } from '../dist/handloom.js';
import { gpu } from './adapter.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const starter = `${root}models/starter`;
const kSafeMargin = 0.3;

const load = (options = {}) => loadModel(starter, { adapter: gpu, precision: 'f32', ...options });

test('the reference chats give the reference ids', async () => {
  const reference = JSON.parse(readFileSync(`${root}tests/golden/starter/reference.json`, 'utf8'));
  const model = await load();
  const session = await model.createSession();
  let exact = 0;
  for (const group of ['chats', 'completions']) {
    // Every third is enough here: the others differ in their words alone.
    for (const one of reference[group].filter((_, i) => i % 3 === 0)) {
      assert.deepEqual(await model.encode(one.prompt, group === 'completions'), one.prompt_ids);
      const stream = session.generate(group === 'chats' ? one.messages : one.prompt, {
        temperature: 0,
        maxTokens: one.greedy_ids.length,
      });
      const { ids, text } = await stream.result;
      const unsure = one.top2_margin.findIndex((margin) => margin <= kSafeMargin);
      const certain = unsure < 0 ? one.greedy_ids.length : unsure;
      assert.deepEqual(ids.slice(0, certain), one.greedy_ids.slice(0, certain), one.prompt);
      if (certain === one.greedy_ids.length) assert.equal(text, one.text);
      if (ids.join() === one.greedy_ids.join()) exact++;
    }
  }
  assert.ok(exact > 15, `${exact} answers are exact`);
  await model.dispose();
});

test('chat.completions streams, counts and stops', async () => {
  const model = await load();
  const chat = new Chat(model);
  const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }];
  const whole = await chat.completions.create({ messages, temperature: 0 });
  assert.equal(whole.choices[0].message.content, 'Paris');
  assert.equal(whole.choices[0].finish_reason, 'stop');
  assert.equal(whole.usage.completion_tokens, 2);
  let streamed = '', reason = null;
  for await (const chunk of await chat.completions.create({ messages, temperature: 0, stream: true })) {
    streamed += chunk.choices[0].delta.content ?? '';
    reason = chunk.choices[0].finish_reason;
  }
  assert.equal(streamed, 'Paris');
  assert.equal(reason, 'stop');
  await assert.rejects(chat.completions.create({ messages: [] }), { code: 'invalid_argument' });
  await model.dispose();
});

test('an aborted answer ends early, and the session goes on', async () => {
  const model = await load();
  const session = await model.createSession();
  const abort = new AbortController();
  const stream = session.generate([{ role: 'user', content: 'Tell me a story about a blue kite.' }], {
    temperature: 0,
    signal: abort.signal,
  });
  let pieces = 0;
  for await (const _ of stream) if (++pieces === 5) abort.abort();
  const cut = await stream.result;
  assert.equal(cut.finishReason, 'cancelled');
  assert.ok(cut.ids.length < 12, `${cut.ids.length} tokens`);
  const next = await session.generate([{ role: 'user', content: 'What is 17 + 25?' }], { temperature: 0 }).result;
  assert.match(next.text, /42/);
  await model.dispose();
});

test('errors are typed, and say what is wrong', async () => {
  const rejects = (promise, code, message) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof HandloomError, `${error.stack}`);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
  await rejects(loadModel('/nowhere/model', { adapter: gpu }), 'not_found', /\/nowhere\/model/);
  await rejects(loadModel(`${root}docs`, { adapter: gpu }), 'not_found', /config\.json/);
  await rejects(load({ precision: 'f8' }), 'invalid_argument', /'precision' is 'f8', expected one of f32/);
  await rejects(load({ context: 100_000 }), 'invalid_argument', /512/);
  const signal = AbortSignal.abort();
  await rejects(load({ signal }), 'aborted', /aborted/);
  const model = await load();
  const session = await model.createSession();
  await rejects(session.generate('x'.repeat(5000)).result, 'invalid_argument', /the context holds 512/);
  await rejects(session.generate('x', { temperature: -1 }).result, 'invalid_argument', /temperature/);
  await model.dispose();
});

test('a device lost while generating ends the answer with a typed error', async () => {
  const model = await load();
  const session = await model.createSession();
  const stream = session.generate([{ role: 'user', content: 'Tell me a story about a blue kite.' }], {
    temperature: 0,
  });
  const read = async () => {
    let pieces = 0;
    for await (const _ of stream) if (++pieces === 3) model.host.engine.dispose(); // destroys the GPUDevice
  };
  await assert.rejects(read(), { name: 'HandloomError', code: 'device_lost' });
});
