// screenshots.mjs FOLDER: the pages in light, dark and at phone width, to be looked at.
import { serve } from '../serve.mjs';
import { openBrowser, until } from './browser.mjs';

const folder = process.argv[2];
const server = await serve();
const browser = await openBrowser();
const kinds = {
  light: { colorScheme: 'light', viewport: { width: 1100, height: 760 } },
  dark: { colorScheme: 'dark', viewport: { width: 1100, height: 760 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 780 }, deviceScaleFactor: 2 },
};
for (const [kind, options] of Object.entries(kinds)) {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(server.url);
  await until('the model', async () => /ready/.test(await page.locator('#status').textContent()));
  for (const text of ['What is 17 + 25?', 'What color is the sky?']) {
    const before = await page.locator('.figures').count();
    await page.fill('#prompt', text);
    await page.press('#prompt', 'Enter');
    await until('the answer', async () => (await page.locator('.figures').count()) > before);
  }
  await page.screenshot({ path: `${folder}/chat-${kind}.png` });
  await page.goto(`${server.url}device.html`);
  await until('the models kept', async () => (await page.locator('#kept tr').count()) > 0);
  await page.screenshot({ path: `${folder}/device-${kind}.png`, fullPage: true });
}
await browser.close();
server.close();
