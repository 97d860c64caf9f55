// What a browser does to a model: devices of f32 alone, lost ones, none at all, hidden tabs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { openBrowser, until } from './browser.mjs';
import * as models from './models.mjs';
import { ask, openPage } from './page.mjs';
import { startServer } from './server.mjs';

const kPlain = { plan: 'plain' }; // the fewest kernels to compile
const kSafeMargin = 0.3; // as in tests/engine/starter_chats_test.cpp

let server, browser, page, newPage;
before(async () => {
  server = await startServer();
  server.addFiles('gguf', models.gguf());
  browser = await openBrowser();
  ({ page, newPage } = await openPage(browser, server));
});
after(async () => {
  await browser?.close();
  server?.close();
});

function expectError(answer, code, message) {
  assert.equal(answer.name, 'HandloomError', answer.message ?? answer.text);
  assert.equal(answer.code, code, answer.message);
  assert.match(answer.message, message);
}

// Of the answers that any correct engine gives, as far as it gives them: tests/engine/starter_chats_test.cpp.
test('some of the reference chats give the reference ids', async () => {
  const reference = JSON.parse(readFileSync(new URL('../../tests/golden/starter/reference.json', import.meta.url)));
  const sure = reference.chats.map(({ messages, greedy_ids, top2_margin, prompt }) => {
    const unsure = top2_margin.findIndex((margin) => margin <= kSafeMargin);
    return { messages, prompt, ids: greedy_ids.slice(0, unsure < 0 ? undefined : unsure) };
  });
  const some = sure.filter(({ ids }) => ids.length > 0).filter((_, i) => i % 6 === 0);
  const made = await page.evaluate(async ([chats, options]) => {
    const { loadModel } = await import('/handloom.js');
    const model = await loadModel('./models/starter', options);
    const session = await model.createSession();
    const answers = [];
    for (const { messages, ids } of chats) {
      answers.push((await session.generate(messages, { temperature: 0, maxTokens: ids.length }).result).ids);
    }
    await model.dispose();
    return answers;
  }, [some, kPlain]);
  assert.ok(some.length > 6, `${some.length} chats`);
  for (const [i, { ids, prompt }] of some.entries()) assert.deepEqual(made[i], ids, prompt);
});

test('weights of f16 alone run on a device without f16', async () => {
  const { text, info, message } = await ask(page, './files/gguf/starter-f16.gguf', kPlain);
  assert.equal(text, 'Paris', message);
  assert.equal(info.weightDtype, 'f16');
  assert.equal(info.precision, 'f32');
});

/** Tells stories in `tab` up to so many tokens; `window.pieces` counts their pieces, the promise is of their end. */
function tell(tab, maxTokens) {
  return tab.evaluate(
    async ([options, limit]) => {
      const { loadModel } = await import('/handloom.js');
      const model = await loadModel('./models/starter', options);
      const session = await model.createSession();
      window.pieces = 0;
      const ids = [];
      try {
        while (ids.length < limit) {
          const stream = session.generate([{ role: 'user', content: 'Tell me a story about a blue kite.' }], {
            temperature: 0,
            maxTokens: limit - ids.length,
          });
          for await (const _ of stream) window.pieces++;
          ids.push(...(await stream.result).ids);
        }
        return { ids };
      } catch ({ name, code, message }) {
        return { name, code, message };
      } finally {
        await model.dispose();
      }
    },
    [kPlain, maxTokens],
  );
}

// A headless browser calls every tab visible: this one has what a hidden tab has left of its own clock.
test('a tab without animation frames and timers, as hidden ones are, goes on generating', async () => {
  const tab = await newPage();
  await tab.evaluate(() => {
    window.requestAnimationFrame = window.requestIdleCallback = window.setTimeout = window.setInterval = () => 0;
  });
  const { ids, message } = await tell(tab, 24);
  assert.equal(ids?.length, 24, message);
  await tab.close();
});

test('a device lost while generating is said, and the next load gets another', async () => {
  const client = await browser.newBrowserCDPSession();
  const telling = tell(page, 4000); // which nobody waits for
  const begun = until('the first words', () => page.evaluate(() => window.pieces > 1), 400_000);
  await Promise.race([begun, telling.then(({ message }) => assert.fail(`it ended too early: ${message}`))]);
  await client.send('Browser.crashGpuProcess').catch(() => undefined); // which has no time to answer
  expectError(await telling, 'device_lost', /was lost/);
  const { text, message } = await ask(page, './models/starter', kPlain);
  assert.equal(text, 'Paris', message);
});

for (const [what, flags, host, reason] of [
  ['without an adapter', [], 'localhost', /no graphics adapter|no adapter/],
  ['without WebGPU, on a page without https', ['--host-resolver-rules=MAP handloom.test 127.0.0.1'], 'handloom.test', /https/],
]) {
  test(`a browser ${what}`, async () => {
    const poor = await openBrowser(flags);
    try {
      const { page: blank } = await openPage(poor, { url: server.url.replace('localhost', host) });
      const capabilities = await blank.evaluate(async () => (await import('/handloom.js')).checkCapabilities());
      assert.equal(capabilities.supported, false);
      assert.match(capabilities.reason, reason);
      const answer = await ask(blank, './models/starter');
      assert.ok(['unsupported', 'gpu'].includes(answer.code), answer.message);
      assert.match(answer.message, reason);
    } finally {
      await poor.close();
    }
  });
}

for (const [file, code] of [['worker.js', 'internal'], ['handloom.wasm', 'io']]) {
  test(`a package without its ${file} says so`, async () => {
    server.misbehave = (request, response) => {
      if (!request.url.endsWith(file)) return false;
      response.writeHead(404).end();
      return true;
    };
    const tab = await newPage();
    expectError(await ask(tab, './models/starter'), code, /cannot be loaded/);
    await tab.close();
    server.misbehave = () => false;
  });
}
