// What the tests of downloads share: a server that can be told to misbehave, a page on it, the starter to be asked.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';

import { kUsual, openBrowser } from './browser.mjs';
import * as models from './models.mjs';
import { ask as askIn, openPage } from './page.mjs';
import { startServer } from './server.mjs';

export const kStarter = './models/starter';
export const kWeights = '/models/starter/model.safetensors';
export const kWeightsBytes = 13_676_000; // about
/** The plan with the fewest kernels to compile. */
export const kPlain = { plan: 'plain' };

/** Of the file that calls it; nothing is kept from one test to the next. */
export function openSite() {
  const site = {
    ask: (source = kStarter, options = {}) => askIn(site.page, source, { ...kPlain, ...options }),
    kept: () => site.page.evaluate(async () => (await import('/handloom.js')).listCached()),
    /** Bytes of weights that were asked for. */
    served: () =>
      site.server.requests.reduce((sum, { url, range }) => {
        const [begin, last] = (/(\d+)-(\d+)/.exec(range) ?? [0, 0, -1]).slice(1).map(Number);
        return url === kWeights ? sum + Math.max(0, last + 1 - begin) : sum;
      }, 0),
    /** From now on there is no network but for the package itself. */
    disconnect() {
      site.server.misbehave = (request, response) => {
        if (!/^\/(models|files|hub|cdn)\//.test(request.url)) return false;
        response.destroy();
        return true;
      };
    },
  };
  let browser;
  before(async () => {
    site.server = await startServer();
    site.server.addRepository('weavers/starter', models.starter);
    site.server.addFiles('mlc', models.mlc());
    browser = await openBrowser([...kUsual, '--js-flags=--expose-gc']);
    Object.assign(site, await openPage(browser, site.server)); // page, newPage
  });
  after(async () => {
    await browser?.close();
    site.server?.close();
  });
  afterEach(async () => {
    site.server.misbehave = () => false;
    site.server.requests.length = 0;
    await site.page.evaluate(async () => (await import('/handloom.js')).deleteCached());
  });
  return site;
}

export function expectParis({ text, message }) {
  assert.equal(text, 'Paris', message);
}

export function expectError(answer, code, message) {
  assert.equal(answer.name, 'HandloomError', answer.message ?? answer.text);
  assert.equal(answer.code, code, answer.message);
  assert.match(answer.message, message);
}
