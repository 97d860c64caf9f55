// Keeping a model in a browser: a second load, and downloads that break off.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { until } from './browser.mjs';
import { expectError, expectParis, kPlain, kStarter, kWeights, kWeightsBytes, openSite } from './download_site.mjs';
import { ask } from './page.mjs';

const site = openSite();

test('the second load needs no network', async () => {
  expectParis(await site.ask());
  const [model] = await site.kept();
  assert.ok(model.complete && model.bytes >= kWeightsBytes, JSON.stringify(model));
  site.disconnect();
  expectParis(await site.ask());
});

test('the second load of a repository needs none, either, and no second check', async () => {
  const first = await site.ask('weavers/starter', { hubUrl: site.server.hubUrl });
  expectParis(first);
  assert.ok(first.stages.includes('verify'), first.stages.join());
  site.disconnect();
  const second = await site.ask('weavers/starter', { hubUrl: site.server.hubUrl });
  expectParis(second);
  assert.ok(!second.stages.includes('verify'), second.stages.join());
});

test('broken connections are taken up where they broke', async () => {
  let n = 0;
  site.server.misbehave = (request, response) => {
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
  expectParis(await site.ask());
  assert.ok(n > 3, `${n} requests`);
});

test('an aborted download goes on where it was', async () => {
  expectError(await site.ask(kStarter, { abortAfter: 5e6 }), 'aborted', /aborted/);
  const before = site.served();
  expectParis(await site.ask());
  assert.ok(site.served() - before < kWeightsBytes - 4e6, `${before} bytes, then ${site.served() - before}`);
});

test('a closed tab, too', async () => {
  const tab = await site.newPage();
  let n = 0;
  site.server.misbehave = ({ url }) => url === kWeights && ++n > 8; // the others are never answered
  const loading = ask(tab, kStarter, kPlain).catch(() => undefined);
  const half = await until('half of the model', async () => (await site.kept()).find(({ bytes }) => bytes > 5e6));
  await tab.close();
  await loading;
  site.server.misbehave = () => false;
  site.server.requests.length = 0;
  expectParis(await site.ask());
  assert.ok(site.served() < kWeightsBytes - 5e6, `${half.bytes} bytes were kept, ${site.served()} fetched`);
});

test('two tabs may load the same model at once', async () => {
  const other = await site.newPage();
  for (const answer of await Promise.all([site.ask(), ask(other, kStarter, kPlain)])) expectParis(answer);
  await other.close();
  site.disconnect();
  expectParis(await site.ask());
});

test('a storage that answers only while its handle is held', async () => {
  // Chromium, when collecting garbage comes between the question and the answer; here it always does.
  const forgetful = () => {
    const { createSyncAccessHandle } = FileSystemFileHandle.prototype;
    FileSystemFileHandle.prototype.createSyncAccessHandle = function () {
      const self = new WeakRef(this);
      return new Promise((resolve, reject) => {
        setTimeout(() => {
          gc();
          const handle = self.deref();
          if (handle) createSyncAccessHandle.call(handle).then(resolve, reject);
        });
      });
    };
  };
  const worker = `(${forgetful})();\n${readFileSync(new URL('../dist/worker.js', import.meta.url))}`;
  site.server.misbehave = (request, response) => {
    if (request.url !== '/worker.js') return false;
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(worker);
    return true;
  };
  expectParis(await site.ask());
  assert.ok((await site.kept())[0].complete);
});

test('a damaged cache is fetched anew', async () => {
  expectParis(await site.ask());
  await site.page.evaluate(async () => {
    const dir = await (await navigator.storage.getDirectory()).getDirectoryHandle('handloom');
    for await (const [name, handle] of dir.entries()) {
      if (!name.endsWith('.bytes')) continue;
      const writable = await handle.createWritable({ keepExistingData: true });
      const { size } = await handle.getFile();
      await writable.write({ type: 'write', position: size / 2, data: new Uint8Array(1000).fill(7) });
      await writable.close();
    }
  });
  site.server.requests.length = 0;
  expectParis(await site.ask());
  assert.ok(site.served() > 0 && site.served() < 3e6, `${site.served()} bytes fetched again`);
});
