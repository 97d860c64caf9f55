// Downloading and keeping a model in a browser, from servers that behave and servers that do not.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { serve } from '../serve.mjs';
import { openBrowser } from './browser.mjs';

const kWeights = '/models/starter/model.safetensors';
const kWeightsBytes = 13_676_000; // about

/** What the server does instead of answering; of each test's own. */
let intercept = () => false;
let served = 0; // bytes of weights that were asked for
let server, browser, page;

before(async () => {
  server = await serve({
    intercept(request, response, file) {
      if (request.url === '/blank.html') {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>test</title>');
        return true;
      }
      if (intercept(request, response, file)) return true;
      const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '');
      if (range && request.url === kWeights) served += Math.max(0, Number(range[2]) - Number(range[1]) + 1);
      return false;
    },
  });
  browser = await openBrowser();
  const context = await browser.newContext();
  page = await context.newPage();
  await page.goto(`${server.url}blank.html`);
  page.setDefaultTimeout(300_000);
});
after(async () => {
  await browser?.close();
  server?.close();
});
afterEach(async () => {
  intercept = () => false;
  served = 0;
  await page.evaluate(async () => (await import('/handloom.js')).deleteCached());
});

/** Loads the starter, or what lies at `path`, and asks it something; answers with text or error. */
function ask(options = {}, path = 'models/starter') {
  return page.evaluate(
    async ([from, { abortAfter, ...loadOptions }]) => {
      const { loadModel } = await import('/handloom.js');
      const abort = new AbortController();
      const notices = [];
      const onProgress = ({ doneBytes, notice }) => {
        if (notice) notices.push(notice);
        if (doneBytes > abortAfter) abort.abort();
      };
      try {
        const model = await loadModel(from, { ...loadOptions, onProgress, signal: abort.signal });
        const session = await model.createSession();
        const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }];
        const { text } = await session.generate(messages, { temperature: 0 }).result;
        await model.dispose();
        return { text, notices };
      } catch ({ name, code, message }) {
        return { name, code, message, notices };
      }
    },
    [path, options],
  );
}

function expectParis({ text, message }) {
  assert.equal(text, 'Paris', message);
}

function expectError(answer, code, message) {
  assert.equal(answer.name, 'HandloomError', answer.message ?? answer.text);
  assert.equal(answer.code, code, answer.message);
  assert.match(answer.message, message);
}

test('the second load needs no network', async () => {
  expectParis(await ask());
  const [kept] = await page.evaluate(async () => (await import('/handloom.js')).listCached());
  assert.ok(kept.complete && kept.bytes >= kWeightsBytes, JSON.stringify(kept));
  intercept = (request, response) => {
    if (!request.url.startsWith('/models/')) return false;
    response.writeHead(503).end();
    return true;
  };
  expectParis(await ask());
});

test('broken connections are taken up where they broke', async () => {
  let n = 0;
  intercept = (request, response, file) => {
    if (request.url !== kWeights || ++n % 2 === 0) return false;
    // Half of what was promised, then the line goes dead.
    const write = response.write.bind(response);
    response.write = (chunk) => {
      write(chunk.subarray(0, chunk.length / 2));
      setTimeout(() => response.destroy(), 20);
      response.write = () => true;
      return true;
    };
    return false;
  };
  expectParis(await ask());
  assert.ok(n > 3, `${n} requests`);
});

test('an aborted download goes on where it was', async () => {
  expectError(await ask({ abortAfter: 5e6 }), 'aborted', /aborted/);
  const before = served;
  expectParis(await ask());
  assert.ok(served - before < kWeightsBytes - 4e6, `${before} bytes, then ${served - before}`);
});

test('a damaged cache is fetched anew', async () => {
  expectParis(await ask());
  await page.evaluate(async () => {
    const dir = await (await navigator.storage.getDirectory()).getDirectoryHandle('handloom');
    for await (const [name, handle] of dir.entries()) {
      if (!name.endsWith('.bytes')) continue;
      const writable = await handle.createWritable({ keepExistingData: true });
      const { size } = await handle.getFile();
      await writable.write({ type: 'write', position: size / 2, data: new Uint8Array(1000).fill(7) });
      await writable.close();
    }
  });
  served = 0;
  expectParis(await ask());
  assert.ok(served > 0 && served < 3e6, `${served} bytes fetched again`);
});

test('too little storage is said before the download, which goes on', async () => {
  const client = await page.context().newCDPSession(page);
  const origin = new URL(server.url).origin;
  await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 20e6 });
  const answer = await ask();
  await client.send('Storage.overrideQuotaForOrigin', { origin });
  expectParis(answer);
  assert.match(answer.notices[0] ?? 'nothing', /no room for the 14 MB of this model/);
});

test('a model that is not there', async () => {
  expectError(await ask({}, 'models/nothing.gguf'), 'not_found', /nothing\.gguf/);
});

test('a web page instead of weights', async () => {
  intercept = (request, response) => {
    if (request.url !== kWeights) return false;
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in first</html>');
    return true;
  };
  expectError(await ask(), 'bad_format', /model\.safetensors: is a web page/);
});

test('a server without range requests', async () => {
  intercept = (request) => {
    delete request.headers.range;
    return false;
  };
  expectError(await ask(), 'unsupported', /sends whole files only/);
});

test('a file cut short', async () => {
  intercept = (request, response, file) => {
    if (request.url !== kWeights) return false;
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
    const end = Math.min(Number(to), 9_999_999);
    response.writeHead(206, { 'content-range': `bytes ${from}-${end}/10000000`, 'content-type': 'application/octet-stream' });
    import('node:fs').then(({ createReadStream }) => createReadStream(file, { start: Number(from), end }).pipe(response));
    return true;
  };
  expectError(await ask(), 'bad_format', /model\.safetensors: is 10000000 bytes, the header promises/);
});

test('a file that changes while it is read', async () => {
  let n = 0;
  intercept = (request, response) => {
    if (request.url !== kWeights) return false;
    const writeHead = response.writeHead.bind(response);
    response.writeHead = (status, headers) => writeHead(status, { ...headers, etag: `"${n++ < 2 ? 1 : 2}"` });
    return false;
  };
  expectError(await ask(), 'io', /changed on the server/);
});
