// The package under Node, with the WebGPU of the package `webgpu`: the starter's greedy ids are those
// of the reference, as natively (tests/engine/starter_chats_test.cpp has the same rules).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Chat, HandloomError, checkCapabilities, loadModel } from '../dist/handloom.js';
import { gpu } from './adapter.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const starter = `${root}models/starter`;
const kSafeMargin = 0.3;

const load = (options = {}) => loadModel(starter, { adapter: gpu, precision: 'f32', ...options });

test('the reference chats give the reference ids', async () => {
  const reference = JSON.parse(readFileSync(`${root}tests/golden/starter/reference.json`, 'utf8'));
  const model = await load();
  const session = await model.createSession();
  let exact = 0, all = 0;
  for (const group of ['chats', 'completions']) {
    for (const one of reference[group]) {
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
      all++;
      if (ids.join() === one.greedy_ids.join()) exact++;
    }
  }
  assert.ok(exact >= all - 2, `${exact} of ${all} answers are exact`);
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

test('an answer that nobody reads on ends, and the next can be asked for at once', async () => {
  const model = await load();
  const session = await model.createSession();
  const story = [{ role: 'user', content: 'Tell me a story about a blue kite.' }];
  const left = session.generate(story, { temperature: 0 });
  for await (const _ of left) break;
  assert.equal((await left.result).finishReason, 'cancelled');
  const stopped = session.generate(story, { temperature: 0 });
  for await (const _ of stopped) stopped.abort();
  assert.ok((await stopped.result).ids.length < 8);
  await model.dispose();
});

test('answers that are asked for at once come one after the other', async () => {
  const model = await load();
  const chat = new Chat(model);
  const ask = (content) => ({ messages: [{ role: 'user', content }], temperature: 0 });
  const read = async (chunks) => {
    let text = '';
    for await (const { choices } of await chunks) text += choices[0].delta.content ?? '';
    return text;
  };
  const [first, second, third] = await Promise.all([
    read(chat.completions.create({ ...ask('What is the capital of France? Answer in one word.'), stream: true })),
    read(chat.completions.create({ ...ask('What is 17 + 25?'), stream: true })),
    chat.completions.create(ask('What is the capital of France? Answer in one word.')),
  ]);
  assert.equal(first, 'Paris');
  assert.match(second, /42/);
  assert.equal(third.choices[0].message.content, 'Paris');
  await model.dispose();
});

test('a disposed model ends what is under way, and says so to whoever comes later', async () => {
  const model = await load();
  const session = await model.createSession();
  const stream = session.generate([{ role: 'user', content: 'Tell me a story about a blue kite.' }]);
  let pieces = 0;
  const read = async () => {
    for await (const _ of stream) if (++pieces === 3) await model.dispose();
  };
  await assert.rejects(read(), { name: 'HandloomError', code: 'aborted', message: 'model: was disposed' });
  await assert.rejects(model.encode('x'), { code: 'aborted' });
  await assert.rejects(session.generate('x').result, { code: 'aborted' });
  await model.dispose();
});

test('what a GPU can do is said before anything is loaded', async () => {
  const { supported, adapter } = await checkCapabilities(gpu);
  assert.ok(supported && adapter.limits.max_binding_bytes >= 2 ** 27);
  const none = await checkCapabilities({ requestAdapter: async () => null });
  assert.equal(none.supported, false);
  assert.match(none.reason, /no graphics adapter/);
  assert.match((await checkCapabilities(undefined)).reason, /no WebGPU/);
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

/** `isRead`: as a readback that has come is read, instead of at once. */
async function loseWhileGenerating(isRead) {
  let device, isDoomed = false;
  const watched = {
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      const requestDevice = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (about) => {
        device = await requestDevice(about);
        const createBuffer = device.createBuffer.bind(device);
        device.createBuffer = (what) => {
          const buffer = createBuffer(what);
          const getMappedRange = buffer.getMappedRange.bind(buffer);
          buffer.getMappedRange = (...range) => {
            if (isDoomed) device.destroy();
            return getMappedRange(...range);
          };
          return buffer;
        };
        return device;
      };
      return adapter;
    },
  };
  const model = await load({ adapter: watched });
  const session = await model.createSession();
  const stream = session.generate([{ role: 'user', content: 'Tell me a story about a blue kite.' }], {
    temperature: 0,
  });
  const read = async () => {
    let pieces = 0;
    for await (const _ of stream) {
      if (++pieces !== 3) continue;
      isDoomed = isRead;
      if (!isRead) device.destroy();
    }
  };
  await assert.rejects(read(), { name: 'HandloomError', code: 'device_lost' });
  await model.dispose();
}

test('a device lost while generating ends the answer with a typed error', async () => {
  await loseWhileGenerating(false);
  await loseWhileGenerating(true);
});
