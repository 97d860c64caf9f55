// Every form of a model, from every place that it can come from, under Node: each answers the same.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { HandloomError, loadModel } from '../dist/handloom.js';
import { gpu } from './adapter.mjs';
import * as models from './models.mjs';
import { startServer } from './server.mjs';

let server, hubUrl;
before(async () => {
  server = await startServer();
  hubUrl = server.hubUrl;
  server.addFiles('sharded', models.sharded());
  server.addFiles('mlc', models.mlc());
  server.addFiles('gguf', models.gguf());
  server.addFiles('parts', models.ggufParts());
  server.addRepository('weavers/starter', models.starter);
  server.addRepository('weavers/starter-mlc', models.mlc());
  server.addRepository('weavers/starter-GGUF', models.gguf());
  server.addRepository('weavers/several-GGUF', new Map([
    ...models.gguf('starter-F16.gguf'),
    ...models.gguf('starter-F16-again.gguf'),
    ...[...models.ggufParts()].map(([name, bytes]) => [`parts/${name}`, bytes]),
    ['README.md', Buffer.from('about')],
  ]));
});
after(() => server.close());
afterEach(() => {
  server.misbehave = () => false;
  server.requests.length = 0;
});

async function answerOf(source, options = {}) {
  const model = await loadModel(source, { adapter: gpu, hubUrl, ...options });
  const session = await model.createSession();
  const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one word.' }];
  const { text } = await session.generate(messages, { temperature: 0 }).result;
  await model.dispose();
  return { text, info: model.info };
}

const answersParis = async (source, options) => assert.equal((await answerOf(source, options)).text, 'Paris');

const rejects = (promise, code, message) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof HandloomError, `${error.stack}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });

for (const [what, path] of [
  ['safetensors with an index', 'sharded'],
  ['an MLC folder', 'mlc'],
  ['a GGUF file', 'gguf/starter-f16.gguf'],
  ['a GGUF file in parts, behind a signed URL', 'parts/starter-00001-of-00002.gguf?key=1'],
]) {
  test(`a URL of ${what}`, () => answersParis(`${server.url}files/${path}`));
}

test('a query goes with the request for every part', () => {
  const asked = server.requests.filter(({ url }) => url.includes('parts'));
  assert.ok(asked.every(({ url }) => url.endsWith('?key=1')));
});

const fileOf = ([name, bytes]) => new File([bytes], name);

test('a File', () => answersParis(fileOf([...models.gguf()][0])));
test('a File whose settings need a tensor far behind the header', () =>
  answersParis(fileOf([...models.ggufWithDivisors()][0])));
test('the two Files of a model in parts', () => answersParis([...models.ggufParts()].map(fileOf)));
test('the Files of a folder', () => answersParis([...models.sharded()].map(fileOf)));
test('the Files of an MLC folder', () => answersParis([...models.mlc()].map(fileOf)));

/** A folder handle as far as the package uses it. */
function folderHandle(name, files) {
  const missing = () => Object.assign(new Error('not here'), { name: 'NotFoundError' });
  return {
    kind: 'directory',
    name,
    async *entries() {
      for (const [file] of files) yield [file, {}];
    },
    async getFileHandle(file) {
      if (!files.has(file)) throw missing();
      return { getFile: async () => fileOf([file, files.get(file)]) };
    },
  };
}
test('a folder handle', () => answersParis(folderHandle('starter', models.starter)));

test('a repository of the Hub', () => answersParis('weavers/starter'));
test('an MLC repository', () => answersParis('weavers/starter-mlc'));
test('the only GGUF of a repository', () => answersParis('weavers/starter-GGUF'));
test('a revision of a repository', () => answersParis('weavers/starter@0123456789abcdef0123456789abcdef01234567'));
test("a page of the Hub's", () => answersParis(`${hubUrl}/weavers/several-GGUF/blob/main/starter-F16.gguf`));
test('one GGUF of several, by its whole name', () => answersParis('weavers/several-GGUF:starter-F16.gguf'));
test('one GGUF of several, by a part of it', () => answersParis('weavers/several-GGUF:again'));
test('one GGUF of several, in parts and in a folder', () => answersParis('weavers/several-GGUF:00001-of'));

test('several GGUF files are named, none is guessed', () =>
  rejects(
    loadModel('weavers/several-GGUF', { adapter: gpu, hubUrl }),
    'invalid_argument',
    /holds 3 GGUF models \('starter-F16\.gguf', 'starter-F16-again\.gguf', 'parts\/.*name one: 'weavers\/several-GGUF:/,
  ));

test('a GGUF that a repository does not hold', () =>
  rejects(loadModel('weavers/several-GGUF:q2', { adapter: gpu, hubUrl }), 'not_found', /no 'q2' \('starter-F16\.gguf'/));

test('a repository that is not there, or not for everybody', () =>
  rejects(loadModel('weavers/nothing', { adapter: gpu, hubUrl }), 'not_found', /answers 401.*gated.*'token'/));

test('a token goes with every request', async () => {
  const seen = new Set();
  server.misbehave = (request) => {
    seen.add(request.headers.authorization);
    return false;
  };
  await answersParis('weavers/starter-GGUF', { token: 'hf_secret' });
  assert.deepEqual([...seen], ['Bearer hf_secret']);
});

test('a Hub that cannot be asked', () =>
  rejects(
    loadModel('weavers/starter', { adapter: gpu, hubUrl: 'http://127.0.0.1:9' }),
    'io',
    /hub: http:\/\/127\.0\.0\.1:9 cannot be asked for weavers\/starter/,
  ));

test('weights of f16 alone run on a GPU without f16', async () => {
  const withoutF16 = {
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      const features = new Set([...adapter.features].filter((name) => name !== 'shader-f16'));
      const { info, limits } = adapter;
      return { features, info, limits, requestDevice: (about) => adapter.requestDevice(about) };
    },
  };
  const { text, info } = await answerOf(`${server.url}files/gguf/starter-f16.gguf`, { adapter: withoutF16 });
  assert.equal(text, 'Paris');
  assert.equal(info.weightDtype, 'f16');
  assert.equal(info.precision, 'f32');
});

test('an architecture that is not supported', async () => {
  const config = JSON.parse(models.starter.get('config.json'));
  server.addFiles('other', new Map([
    ...models.starter,
    ['config.json', Buffer.from(JSON.stringify({ ...config, architectures: ['MambaForCausalLM'], model_type: 'mamba' }))],
  ]));
  await rejects(loadModel(`${server.url}files/other`, { adapter: gpu }), 'unsupported', /mamba/i);
});

test('a shard cut short', async () => {
  const files = models.mlc();
  files.set('params_shard_1.bin', files.get('params_shard_1.bin').subarray(0, 1_000_000));
  server.addFiles('cut', files);
  await rejects(loadModel(`${server.url}files/cut`, { adapter: gpu }), 'bad_format', /shard_1\.bin: is 1000000 bytes, expected/);
});

test('a part of a GGUF that is missing', async () => {
  const [first] = models.ggufParts();
  server.addFiles('half', new Map([first]));
  await rejects(
    loadModel(`${server.url}files/half/${first[0]}`, { adapter: gpu }),
    'not_found',
    /00002-of-00002\.gguf: is missing, expected all 2 parts/,
  );
});

test('a model larger than the memory is refused before it is fetched', async () => {
  class GPUOutOfMemoryError extends Error {}
  const small = {
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      const requestDevice = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (about) => {
        const device = await requestDevice(about);
        const popErrorScope = device.popErrorScope.bind(device), createBuffer = device.createBuffer.bind(device);
        let bytes = 0, refused = 0;
        device.createBuffer = (buffer) => {
          if ((bytes += buffer.size) > 8e6) refused++;
          return createBuffer(buffer);
        };
        device.popErrorScope = async () => {
          const error = await popErrorScope();
          return error ?? (refused > 0 ? new GPUOutOfMemoryError('no memory left') : null);
        };
        return device;
      };
      return adapter;
    },
  };
  await rejects(
    loadModel(`${server.url}files/gguf/starter-f16.gguf`, { adapter: small }),
    'out_of_memory',
    /starter-f16\.gguf: has 14 MB of weights, which do not fit the GPU's memory.*no memory left/,
  );
  const fetched = server.requests.reduce((sum, { range }) => {
    const [begin, last] = /(\d+)-(\d+)/.exec(range).slice(1).map(Number);
    return sum + last + 1 - begin;
  }, 0);
  assert.ok(fetched < 1e6, `${fetched} bytes were asked for`);
});

test('what is none of all these', () =>
  rejects(loadModel(42, { adapter: gpu }), 'invalid_argument', /expected a repository of the Hub, a URL, a File/));
