// screenshots.mjs FOLDER [PAGE...]: the pages in light, dark and at phone width, to be looked at.
import { serve } from '../serve.mjs';
import { openBrowser, until } from './browser.mjs';

const [folder, ...only] = process.argv.slice(2);
const server = await serve();
const browser = await openBrowser();
const kinds = {
  light: { colorScheme: 'light', viewport: { width: 1100, height: 760 } },
  dark: { colorScheme: 'dark', viewport: { width: 1100, height: 760 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 780 }, deviceScaleFactor: 2 },
};

/** What each page has to have done before it is worth a picture. */
const pages = {
  async chat(page) {
    await until('the model', async () => /ready/.test(await page.locator('#status').textContent()));
    for (const text of ['What is 17 + 25?', 'Tell me a story about a blue kite.']) {
      const before = await page.locator('.message.assistant').count();
      await page.fill('#prompt', text);
      await page.press('#prompt', 'Enter');
      await until('the answer', async () => (await page.locator('#retry').isVisible()) && (await page.locator('.message.assistant').count()) > before);
    }
  },
  async models(page) {
    await until('the models', async () => (await page.locator('#kept tr').count()) > 0);
  },
  async validate(page) {
    await until('the verdict', async () => /pass/.test(await page.locator('#summary').textContent()), 300_000);
    await page.locator('.card details').first().evaluate((details) => (details.open = true));
  },
  async kernels(page) {
    await until('the verdict', async () => /pass/.test(await page.locator('#summary').textContent()), 600_000);
    await page.locator('#attention_combine').evaluate((details) => (details.open = true));
  },
  async timeline(page) {
    await until('the strips', async () => (await page.locator('.strip').count()) === 2, 300_000);
    await page.locator('.strip button').nth(3).hover();
  },
  async bench(page) {
    await page.goto(`${page.url()}?contexts=16,64&tokens=16&prompt=32&repeats=2`);
    await page.click('#run');
    await until('the table', async () => (await page.locator('#result table').count()) > 0, 300_000);
  },
  async device(page) {
    await until('the adapter', async () => (await page.locator('#adapter tr').count()) > 0);
  },
};

for (const [kind, options] of Object.entries(kinds)) {
  const context = await browser.newContext(options);
  for (const [name, prepare] of Object.entries(pages)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const page = await context.newPage();
    page.on('pageerror', (error) => console.log(`${name}: ${error.message}`));
    page.on('console', (message) => message.type() === 'error' && console.log(`${name}: ${message.text()}`));
    await page.goto(server.url + (name === 'chat' ? '' : `${name}.html`));
    await prepare(page).catch(async (error) => console.log(`${name} ${kind}: ${error.message}; it says: ${await page.locator('#status').textContent()}`));
    await page.screenshot({ path: `${folder}/${name}-${kind}.png`, fullPage: name === 'device' || name === 'timeline' });
    await page.close();
  }
  await context.close();
}
await browser.close();
server.close();
process.exit(0);
