// Downloading from servers that misbehave, into a storage that is too small.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectError, expectParis, kWeights, openSite } from './download_site.mjs';
import * as models from './models.mjs';
import { sendBytes } from './server.mjs';

const site = openSite();

async function withQuota(quotaSize, action) {
  const client = await site.page.context().newCDPSession(site.page);
  const origin = new URL(site.server.url).origin;
  await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize });
  try {
    return await action();
  } finally {
    await client.send('Storage.overrideQuotaForOrigin', { origin });
  }
}

test('too little storage is said before the download, which goes on', async () => {
  const answer = await withQuota(20e6, () => site.ask());
  expectParis(answer);
  assert.match(answer.notices[0] ?? 'nothing', /no room for the 14 MB of this model/);
});

/** A server that knows no ranges, such as Python's. */
const knowsNoRanges = (request) => {
  delete request.headers.range;
  return false;
};

test('a server without range requests sends each file once', async () => {
  site.server.misbehave = knowsNoRanges;
  expectParis(await site.ask());
  const asked = site.server.requests.filter(({ url, range }) => url === kWeights && range === undefined);
  assert.equal(asked.length, 1); // and before it one for a range, which finds out
  site.disconnect();
  expectParis(await site.ask());
});

test('without room to keep them, such a server is refused', async () => {
  site.server.misbehave = knowsNoRanges;
  const answer = await withQuota(20e6, () => site.ask());
  expectError(answer, 'unsupported', /model\.safetensors: the server sends whole files only, and .* has no room/);
});

test('a file that is not what the Hub published', async () => {
  const wrong = Buffer.from(models.starter.get('model.safetensors'));
  wrong[7_000_000] ^= 1;
  site.server.misbehave = (request, response) => {
    if (request.url !== '/cdn/weavers/starter/model.safetensors') return false;
    sendBytes(request, response, wrong);
    return true;
  };
  expectError(await site.ask('weavers/starter', { hubUrl: site.server.hubUrl }), 'bad_format', /model\.safetensors: has sha256 \w+, expected \w+/);
  site.server.misbehave = () => false;
  expectParis(await site.ask('weavers/starter', { hubUrl: site.server.hubUrl })); // nothing of it was kept
});

test("a shard that is not what MLC's list says", async () => {
  const path = '/files/mlc/params_shard_1.bin';
  site.server.misbehave = (request, response, bytes) => {
    if (request.url !== path) return false;
    const wrong = Buffer.from(bytes);
    wrong[5_000_000] ^= 1;
    sendBytes(request, response, wrong);
    return true;
  };
  expectError(await site.ask('./files/mlc'), 'bad_format', /params_shard_1\.bin: has md5 \w+, expected \w+/);
  site.server.misbehave = () => false;
  expectParis(await site.ask('./files/mlc'));
});

test('a model that is not there', async () => {
  expectError(await site.ask('./models/nothing.gguf'), 'not_found', /nothing\.gguf/);
});

test('a web page instead of weights', async () => {
  site.server.misbehave = (request, response) => {
    if (request.url !== kWeights) return false;
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in first</html>');
    return true;
  };
  expectError(await site.ask(), 'bad_format', /model\.safetensors: is a web page/);
});

test('a file cut short', async () => {
  site.server.misbehave = (request, response) => {
    if (request.url !== kWeights) return false;
    sendBytes(request, response, models.starter.get('model.safetensors').subarray(0, 10_000_000));
    return true;
  };
  expectError(await site.ask(), 'bad_format', /model\.safetensors: is 10000000 bytes, the header promises/);
});

test('a file that changes while it is read', async () => {
  let n = 0;
  site.server.misbehave = (request, response) => {
    if (request.url !== kWeights) return false;
    const writeHead = response.writeHead.bind(response);
    response.writeHead = (status, headers) => writeHead(status, { ...headers, etag: `"${n++ < 2 ? 1 : 2}"` });
    return false;
  };
  expectError(await site.ask(), 'io', /changed on the server/);
});

test('a server of another origin that does not allow this page to read', async () => {
  const elsewhere = site.server.url.replace('localhost', '127.0.0.1');
  expectError(await site.ask(`${elsewhere}models/starter`), 'io', /does it allow other pages to read from it \(CORS\)/);
});
