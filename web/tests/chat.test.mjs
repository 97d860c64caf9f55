// The chat page in a browser: two turns with the starter, stop, and what it says when it cannot work.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { serve } from '../serve.mjs';
import { openBrowser, until } from './browser.mjs';

let server, browser;
before(async () => {
  server = await serve();
  browser = await openBrowser();
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
  });
}

async function ask(page, text) {
  await page.fill('#prompt', text);
  await page.press('#prompt', 'Enter');
  return until('the answer', async () => {
    const answers = await page.locator('.message.assistant:has(.figures)').count();
    const asked = await page.locator('.message.user').count();
    if (answers < asked) return undefined;
    return page.locator('.message.assistant').last().locator('span').first().textContent();
  });
}

test('two turns with the starter', async () => {
  const page = await browser.newPage();
  await openChat(page);
  await page.locator('summary').click();
  await page.fill('#temperature', '0');
  // Both are among tests/golden/starter/reference.json's conversations.
  assert.equal(await ask(page, 'What is the capital of France? Answer in one word.'), 'Paris');
  assert.match(await ask(page, 'What is 17 + 25?'), /42/);
  const [figures] = await textOf(page, '.message.assistant:last-child .figures');
  assert.match(figures, /tok\/s, .*GB\/s/);
  await page.close();
});

test('a stopped answer stays as far as it came', async () => {
  const page = await browser.newPage();
  await openChat(page);
  await page.fill('#prompt', 'Tell me a story about a blue kite.');
  await page.press('#prompt', 'Enter');
  await until('the first words', async () => (await textOf(page, '.message.assistant span')).join('').length > 20);
  await page.click('#stop');
  await until('the end', async () => !(await page.locator('#stop').isVisible()));
  const [text] = await textOf(page, '.message.assistant span:first-child');
  assert.ok(text.length > 20 && !text.endsWith('.'), text);
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

test('the device page describes the adapter and the models kept', async () => {
  const page = await browser.newPage();
  await openChat(page); // which keeps the starter
  await page.click('nav a');
  await until('the models kept', async () => (await page.locator('#kept tr').count()) > 0);
  assert.match(await page.locator('#verdict').textContent(), /software/);
  assert.match(await page.locator('#adapter').textContent(), /Arithmetic in f16.*no/);
  const kept = page.locator('#kept tr').filter({ hasText: 'models/starter' });
  assert.match(await kept.textContent(), /1[34] MiB/);
  await kept.locator('button').click();
  await until('the deletion', async () => /None/.test(await page.locator('#kept').textContent()));
  await page.close();
});
