// Reading ranges from servers that behave and servers that do not, under Node.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';

import { importSource } from './bundle.mjs';

const { UrlFiles, placeOf } = await importSource('url_files.ts');

const kFile = Uint8Array.from({ length: 10_000 }, (_, i) => (i * i) >> 5);
const kSilenceMs = 300;

let server, base, requests;
/** What the server does with a request; of each test's own. */
let answer;
before(async () => {
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}/`;
});
after(() => server.close());
beforeEach(() => {
  requests = [];
  answer = (request, response) => sendRange(request, response);
});

const rangeOf = ({ headers }) => /bytes=(\d+)-(\d+)/.exec(headers.range).slice(1).map(Number);

function sendRange(request, response, headers = {}) {
  const [begin, last] = rangeOf(request);
  const bytes = kFile.subarray(begin, last + 1);
  response
    .writeHead(206, {
      'content-range': `bytes ${begin}-${begin + bytes.length - 1}/${kFile.length}`,
      'content-length': bytes.length,
      ...headers,
    })
    .end(bytes);
}

const files = (published) => {
  const place = placeOf(`${base}model.gguf`);
  return new UrlFiles({ ...place, published: published && new Map([[place.root, published]]) }, kSilenceMs);
};
const read = (begin = 100, end = 5000, from = files()) => from.read(from.root, begin, end);

async function expectRange(begin = 100, end = 5000, from = files()) {
  const { bytes, size } = await read(begin, end, from);
  assert.equal(size, kFile.length);
  assert.deepEqual(bytes, kFile.slice(begin, end));
}

const rejects = (promise, code, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });

test('a range, cut at the end of the file', async () => {
  await expectRange();
  await expectRange(9000, 20_000);
});

test('what follows a "?" is asked for with every file, and is no part of a name', () => {
  const place = placeOf('https://example.org/models/a-00001-of-00002.gguf?key=1');
  assert.equal(place.root, 'https://example.org/models/a-00001-of-00002.gguf');
  assert.equal(place.isFolder, false);
  assert.equal(place.urlOf('https://example.org/models/a-00002-of-00002.gguf'),
    'https://example.org/models/a-00002-of-00002.gguf?key=1');
  assert.equal(placeOf('https://example.org/models/small/').root, 'https://example.org/models/small');
  assert.equal(placeOf('https://example.org/small/model.safetensors').root, 'https://example.org/small');
});

test('a broken connection is taken up where it broke', async () => {
  answer = (request, response, n) => {
    if (n > 1) return sendRange(request, response);
    response.writeHead(206, { 'content-range': 'bytes 100-4999/10000', 'content-length': 4900 });
    response.write(kFile.subarray(100, 1100), () => response.destroy());
  };
  await expectRange();
  assert.deepEqual(requests.map(rangeOf), [[100, 4999], [1100, 4999]]);
});

test('a server that is silent, or busy, is asked again', async () => {
  answer = (request, response, n) => {
    if (n === 2) response.writeHead(503).end();
    if (n > 2) sendRange(request, response);
  };
  await expectRange();
  assert.equal(requests.length, 3);
});

test('a server that is silent in the middle, too', async () => {
  answer = (request, response, n) => {
    if (n > 1) return sendRange(request, response);
    response.writeHead(206, { 'content-range': 'bytes 100-4999/10000', 'content-length': 4900 });
    response.write(kFile.subarray(100, 1100));
  };
  await expectRange();
  assert.deepEqual(requests.map(rangeOf)[1], [1100, 4999]);
});

test('in the end it is said what goes wrong', async () => {
  answer = (request, response) => response.writeHead(503, 'Service Unavailable').end();
  await rejects(read(), 'io', /model\.gguf: cannot be fetched; the last attempt ended with: the server answers 503/);
  assert.equal(requests.length, 5);
});

test('a signal ends the waiting', async () => {
  answer = () => undefined;
  const from = files();
  await rejects(from.read(from.root, 0, 100, AbortSignal.timeout(50)), 'aborted', /was aborted/);
});

test('a file that is not there is none', async () => {
  answer = (request, response) => response.writeHead(404).end();
  assert.equal(await read(), undefined);
});

test('a file that is not for everybody', async () => {
  answer = (request, response) => response.writeHead(403).end();
  await rejects(read(), 'io', /answers 403, it is not for everybody/);
  assert.equal(requests.length, 1);
});

test('an empty file', async () => {
  answer = (request, response) => response.writeHead(416, { 'content-range': 'bytes */0' }).end();
  assert.deepEqual(await read(0, 100), { bytes: new Uint8Array(0), size: 0 });
});

test('a file that changes between two ranges', async () => {
  answer = (request, response, n) => sendRange(request, response, { etag: `"${n}"` });
  const from = files();
  await read(0, 100, from);
  await rejects(read(100, 200, from), 'io', /changed on the server/);
});

test('a web page instead of a file', async () => {
  answer = (request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  await rejects(read(), 'bad_format', /is a web page/);
});

test('another range than the one that was asked for', async () => {
  answer = (request, response) => sendRange(request, response, { 'content-range': 'bytes 0-4899/10000' });
  await rejects(read(), 'io', /sends 'bytes 0-4899\/10000', expected bytes from 100 on/);
});

test('a server that hides the size tells it when asked for the head', async () => {
  answer = (request, response) => {
    if (request.method === 'HEAD') response.writeHead(200, { 'content-length': kFile.length }).end();
    else response.writeHead(206).end(kFile.subarray(100, 5000));
  };
  await expectRange();
});

test('whole files: a small one will do, of another it is said', async () => {
  answer = (request, response) => response.writeHead(200, { 'content-length': kFile.length }).end(kFile);
  await expectRange(0, 20_000);
  const from = files();
  await rejects(read(100, 5000, from), 'unsupported', /sends whole files only/);
  assert.ok(from.sendsWholeOnly(from.root));
  let size, n = 0;
  for await (const chunk of from.stream(from.root, async (bytes) => void (size = bytes))) {
    assert.deepEqual(Uint8Array.from(chunk), kFile.slice(n, (n += chunk.length)));
  }
  assert.deepEqual([size, n], [kFile.length, kFile.length]);
});

test('the size is the published one', async () => {
  await expectRange(100, 5000, files({ size: 10_000 }));
  await rejects(read(100, 5000, files({ size: 9_999 })), 'bad_format', /is 10000 bytes, expected 9999/);
});

test('a file that the list does not have is not asked for', async () => {
  const from = files({ size: 10_000 });
  assert.equal(await from.read(`${from.root}.other`, 0, 100), undefined);
  assert.equal(requests.length, 0);
});
