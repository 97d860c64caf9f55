// The chat page in a browser: two turns with the starter, stop, and what it says when it cannot work.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { serve } from '../serve.mjs';
import { kWebGpu } from '../node/chromium.mjs';
import { openBrowser, until } from './browser.mjs';

/** A software adapter compiles every kernel, on a machine that may be busy. */
const kLongMs = 300_000;

let server, browser;
before(async () => {
  server = await serve();
  browser = await openBrowser([kWebGpu]); // as people have it
});
after(async () => {
  await browser?.close();
  server?.close();
});

const textOf = (page, selector) => page.locator(selector).allTextContents();

async function openChat(page) {
  await page.goto(server.url);
  await until('the model is ready', async () => {
    const [status] = await textOf(page, '#status');
    if (await page.locator('#status.wrong').count()) throw new Error(status);
    return status.includes('ready');
  }, kLongMs);
}

async function ask(page, text) {
  await page.fill('#prompt', text);
  await page.press('#prompt', 'Enter');
  return until('the answer', async () => {
    if (await page.locator('#status.wrong').count()) throw new Error((await textOf(page, '#status'))[0]);
    const answers = await page.locator('.message.assistant').count();
    const asked = await page.locator('.message.user').count();
    if (answers < asked || !(await page.locator('#retry').isVisible())) return undefined;
    return page.locator('.message.assistant .text').last().textContent();
  });
}

test('two turns with the starter', async () => {
  const page = await browser.newPage();
  await openChat(page);
  await page.locator('#settings summary').click();
  await page.fill('[name=temperature]', '0');
  // Both are among tests/golden/starter/reference.json's conversations.
  assert.equal(await ask(page, 'What is the capital of France? Answer in one word.'), 'Paris');
  assert.match(await ask(page, 'What is 17 + 25?'), /42/);
  const [figures] = await textOf(page, '.message.assistant:last-child .figures');
  assert.match(figures, /tok\/s, .*GB\/s/);

  // The last answer again, and the same; then all of it after a reload.
  await page.click('#retry');
  await until('the end', () => page.locator('#retry').isVisible());
  assert.match((await textOf(page, '.message.assistant .text'))[1], /42/);
  assert.equal((await textOf(page, '.message.assistant')).length, 2);
  await openChat(page);
  assert.deepEqual((await textOf(page, '.message.assistant .text'))[0], 'Paris');
  assert.equal(await page.inputValue('[name=temperature]'), '0');
  await page.click('#clear');
  assert.equal((await textOf(page, '.message')).length, 0);
  await page.close();
});

test('the settings reach the model, and a number out of its range is said', async () => {
  const page = await browser.newPage();
  await openChat(page);
  await page.locator('#settings summary').click();
  await page.fill('[name=maxTokens]', '3');
  await page.fill('[name=temperature]', '0');
  const cut = await ask(page, 'Tell me a story about a blue kite.');
  assert.ok(cut.length > 0 && cut.split(' ').length <= 4, cut);
  await page.fill('[name=topP]', '2');
  await page.fill('#prompt', 'Hello');
  await page.press('#prompt', 'Enter');
  const wrong = await until('the reason', async () => (await textOf(page, '#status.wrong'))[0]);
  assert.equal(wrong, "settings: 'Top-p' is '2', expected 0.01 to 1");
  assert.equal(await page.inputValue('#prompt'), 'Hello');
  await page.close();
});

test('a stopped answer stays as far as it came', async () => {
  const page = await browser.newPage();
  await openChat(page);
  await page.fill('#prompt', 'Tell me a story about a blue kite.');
  await page.press('#prompt', 'Enter');
  await until('the first words', async () => (await textOf(page, '.message.assistant .text')).join('').length > 20);
  await page.click('#stop');
  await until('the end', async () => !(await page.locator('#stop').isVisible()));
  const [text] = await textOf(page, '.message.assistant .text');
  assert.ok(text.length > 20 && text.length < 300, text); // a whole story has more than 500
  await page.close();
});

test('without WebGPU the page says so', async () => {
  const page = await browser.newPage();
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
  await page.goto(server.url);
  const wrong = await until('the reason', async () => (await textOf(page, '#status.wrong'))[0]);
  assert.match(wrong, /no WebGPU/);
  await page.close();
});
