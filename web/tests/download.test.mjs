// Downloading and keeping a model in a browser, from servers that behave and servers that do not.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { openBrowser, until } from './browser.mjs';
import * as models from './models.mjs';
import { ask as askIn, openPage } from './page.mjs';
import { sendBytes, startServer } from './server.mjs';

const kStarter = './models/starter';
const kWeights = '/models/starter/model.safetensors';
const kWeightsBytes = 13_676_000; // about

let server, browser, page, newPage, hubUrl;

before(async () => {
  server = await startServer();
  hubUrl = server.hubUrl;
  server.addRepository('weavers/starter', models.starter);
  server.addFiles('mlc', models.mlc());
  browser = await openBrowser();
  ({ page, newPage } = await openPage(browser, server));
});
after(async () => {
  await browser?.close();
  server?.close();
});
afterEach(async () => {
  server.misbehave = () => false;
  server.requests.length = 0;
  await page.evaluate(async () => (await import('/handloom.js')).deleteCached());
});

// The plain plan has the fewest kernels to compile.
const ask = (source = kStarter, options = {}) => askIn(page, source, { plan: 'plain', ...options });
const kept = () => page.evaluate(async () => (await import('/handloom.js')).listCached());

/** Bytes of weights that were asked for. */
const served = () =>
  server.requests.reduce((sum, { url, range }) => {
    const [begin, last] = (/(\d+)-(\d+)/.exec(range) ?? [0, 0, -1]).slice(1).map(Number);
    return url === kWeights ? sum + Math.max(0, last + 1 - begin) : sum;
  }, 0);

function expectParis({ text, message }) {
  assert.equal(text, 'Paris', message);
}

function expectError(answer, code, message) {
  assert.equal(answer.name, 'HandloomError', answer.message ?? answer.text);
  assert.equal(answer.code, code, answer.message);
  assert.match(answer.message, message);
}

/** From now on there is no network but for the package itself. */
function disconnect() {
  server.misbehave = (request, response) => {
    if (!/^\/(models|files|hub|cdn)\//.test(request.url)) return false;
    response.destroy();
    return true;
  };
}

test('the second load needs no network', async () => {
  expectParis(await ask());
  const [model] = await kept();
  assert.ok(model.complete && model.bytes >= kWeightsBytes, JSON.stringify(model));
  disconnect();
  expectParis(await ask());
});

test('the second load of a repository needs none, either, and no second check', async () => {
  const first = await ask('weavers/starter', { hubUrl });
  expectParis(first);
  assert.ok(first.stages.includes('verify'), first.stages.join());
  disconnect();
  const second = await ask('weavers/starter', { hubUrl });
  expectParis(second);
  assert.ok(!second.stages.includes('verify'), second.stages.join());
});

test('broken connections are taken up where they broke', async () => {
  let n = 0;
  server.misbehave = (request, response) => {
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
  expectError(await ask(kStarter, { abortAfter: 5e6 }), 'aborted', /aborted/);
  const before = served();
  expectParis(await ask());
  assert.ok(served() - before < kWeightsBytes - 4e6, `${before} bytes, then ${served() - before}`);
});

test('a closed tab, too', async () => {
  const tab = await newPage();
  let n = 0;
  server.misbehave = ({ url }) => url === kWeights && ++n > 8; // the others are never answered
  const loading = askIn(tab, kStarter, { plan: 'plain' }).catch(() => undefined);
  const half = await until('half of the model', async () => (await kept()).find(({ bytes }) => bytes > 5e6));
  await tab.close();
  await loading;
  server.misbehave = () => false;
  server.requests.length = 0;
  expectParis(await ask());
  assert.ok(served() < kWeightsBytes - 5e6, `${half.bytes} bytes were kept, ${served()} fetched`);
});

test('two tabs may load the same model at once', async () => {
  const other = await newPage();
  for (const answer of await Promise.all([ask(), askIn(other, kStarter, { plan: 'plain' })])) expectParis(answer);
  await other.close();
  disconnect();
  expectParis(await ask());
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
  server.requests.length = 0;
  expectParis(await ask());
  assert.ok(served() > 0 && served() < 3e6, `${served()} bytes fetched again`);
});

async function withQuota(quotaSize, action) {
  const client = await page.context().newCDPSession(page);
  const origin = new URL(server.url).origin;
  await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize });
  try {
    return await action();
  } finally {
    await client.send('Storage.overrideQuotaForOrigin', { origin });
  }
}

test('too little storage is said before the download, which goes on', async () => {
  const answer = await withQuota(20e6, () => ask());
  expectParis(answer);
  assert.match(answer.notices[0] ?? 'nothing', /no room for the 14 MB of this model/);
});

/** A server that knows no ranges, such as Python's. */
const knowsNoRanges = (request) => {
  delete request.headers.range;
  return false;
};

test('a server without range requests sends each file once', async () => {
  server.misbehave = knowsNoRanges;
  expectParis(await ask());
  const asked = server.requests.filter(({ url, range }) => url === kWeights && range === undefined);
  assert.equal(asked.length, 1); // and before it one for a range, which finds out
  disconnect();
  expectParis(await ask());
});

test('without room to keep them, such a server is refused', async () => {
  server.misbehave = knowsNoRanges;
  const answer = await withQuota(20e6, () => ask());
  expectError(answer, 'unsupported', /model\.safetensors: the server sends whole files only, and .* has no room/);
});

test('a file that is not what the Hub published', async () => {
  const wrong = Buffer.from(models.starter.get('model.safetensors'));
  wrong[7_000_000] ^= 1;
  server.misbehave = (request, response) => {
    if (request.url !== '/cdn/weavers/starter/model.safetensors') return false;
    sendBytes(request, response, wrong);
    return true;
  };
  expectError(await ask('weavers/starter', { hubUrl }), 'bad_format', /model\.safetensors: has sha256 \w+, expected \w+/);
  server.misbehave = () => false;
  expectParis(await ask('weavers/starter', { hubUrl })); // nothing of it was kept
});

test("a shard that is not what MLC's list says", async () => {
  const path = '/files/mlc/params_shard_1.bin';
  server.misbehave = (request, response, bytes) => {
    if (request.url !== path) return false;
    const wrong = Buffer.from(bytes);
    wrong[5_000_000] ^= 1;
    sendBytes(request, response, wrong);
    return true;
  };
  expectError(await ask('./files/mlc'), 'bad_format', /params_shard_1\.bin: has md5 \w+, expected \w+/);
  server.misbehave = () => false;
  expectParis(await ask('./files/mlc'));
});

test('a model that is not there', async () => {
  expectError(await ask('./models/nothing.gguf'), 'not_found', /nothing\.gguf/);
});

test('a web page instead of weights', async () => {
  server.misbehave = (request, response) => {
    if (request.url !== kWeights) return false;
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in first</html>');
    return true;
  };
  expectError(await ask(), 'bad_format', /model\.safetensors: is a web page/);
});

test('a file cut short', async () => {
  server.misbehave = (request, response) => {
    if (request.url !== kWeights) return false;
    sendBytes(request, response, models.starter.get('model.safetensors').subarray(0, 10_000_000));
    return true;
  };
  expectError(await ask(), 'bad_format', /model\.safetensors: is 10000000 bytes, the header promises/);
});

test('a file that changes while it is read', async () => {
  let n = 0;
  server.misbehave = (request, response) => {
    if (request.url !== kWeights) return false;
    const writeHead = response.writeHead.bind(response);
    response.writeHead = (status, headers) => writeHead(status, { ...headers, etag: `"${n++ < 2 ? 1 : 2}"` });
    return false;
  };
  expectError(await ask(), 'io', /changed on the server/);
});

test('a server of another origin that does not allow this page to read', async () => {
  const elsewhere = server.url.replace('localhost', '127.0.0.1');
  expectError(await ask(`${elsewhere}models/starter`), 'io', /does it allow other pages to read from it \(CORS\)/);
});
