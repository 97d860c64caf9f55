// The pages but the chat, in a browser: what they find is right there, and what they cannot do they say.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { serve } from '../serve.mjs';
import { openBrowser, until } from './browser.mjs';

/** On SwiftShader a pipeline takes a tenth of a second, a token another. */
const kLongMs = 600_000;

let server, browser, context;
let intercept = () => false;
before(async () => {
  server = await serve({ intercept: (...args) => intercept(...args) });
  browser = await openBrowser();
  context = await browser.newContext(); // all pages share what is kept
});
after(async () => {
  await browser?.close();
  server?.close();
});

async function open(path, prepare = async () => {}) {
  const page = await context.newPage();
  page.setDefaultTimeout(kLongMs);
  await prepare(page);
  await page.goto(server.url + path);
  return page;
}

const textOf = (page, selector) => page.locator(selector).first().textContent();

/** Waits for `selector`; a sentence of the page about what went wrong ends the waiting. */
const awaitOn = (page, selector) =>
  until(
    selector,
    async () => {
      const [wrong] = await page.locator('#status.wrong:not(:empty)').allTextContents();
      if (wrong) throw new Error(wrong);
      return (await page.locator(selector).count()) > 0;
    },
    kLongMs,
  );

const wrongOf = (page) => until('the sentence', async () => (await page.locator('#status.wrong').allTextContents())[0]);

test('every page has the same navigation, and says which page it is', async () => {
  const names = ['Chat', 'Models', 'Validate', 'Kernels', 'Timeline', 'Bench', 'Device'];
  const page = await open('device.html?plan=plain&model=starter');
  for (const name of names) {
    const link = page.locator('nav a', { hasText: name });
    assert.equal(await link.getAttribute('aria-current'), name === 'Device' ? 'page' : null);
    assert.match(await link.getAttribute('href'), /\?model=starter&plan=plain$/);
  }
  await page.close();
});

test('a flag or a value that there is not is said in one sentence', async () => {
  for (const [path, sentence] of [
    ['?plna=plain', /^URL: 'plna' is not known here, expected model, precision, /],
    ['validate.html?plan=fast', "URL: 'plan' is 'fast', expected plain or fused"],
    ['bench.html?contexts=16,x', "URL: 'contexts' is '16,x', expected whole numbers above 0 with commas between"],
    ['timeline.html?prefill=0', "URL: 'prefill' is '0', expected a whole number above 0"],
    ['kernels.html?subgroups=no', "URL: 'subgroups' is 'no', expected 0 or 1"],
  ]) {
    const page = await open(path);
    const said = await wrongOf(page);
    if (sentence instanceof RegExp) assert.match(said, sentence);
    else assert.equal(said, sentence);
    await page.close();
  }
});

test('a model that is not there is said, on every page that loads one', async () => {
  for (const path of ['validate.html', 'timeline.html', '']) {
    const page = await open(`${path}?model=${encodeURIComponent(`${server.url}models/none.gguf`)}`);
    assert.match(await wrongOf(page), /models\/none\.gguf/);
    assert.equal(await page.locator('#progress').isVisible(), false);
    await page.close();
  }
});

test('the models on offer are asked of the Hub by their names', async () => {
  const page = await open('device.html');
  const asked = [];
  await context.route('https://huggingface.co/**', (route) => {
    asked.push(new URL(route.request().url()).pathname);
    return route.fulfill({ status: 404, headers: { 'access-control-allow-origin': '*' } });
  });
  await page.goto(`${server.url}?model=none/none`);
  await wrongOf(page);
  const offered = await page.locator('#model option').evaluateAll((all) => all.map(({ value, text }) => ({ value, text })));
  const onHub = offered.filter(({ value }) => value.includes('/'));
  for (const family of ['Phi-3-mini', 'Llama', 'Qwen']) {
    assert.ok(onHub.some(({ text }) => text.startsWith(family) && /\(\d\.\d GB\)$/.test(text)), family);
  }
  for (const { value } of onHub) {
    const [, repository] = /^([\w.-]+\/[\w.-]+):[\w.-]+\.gguf$/.exec(value);
    asked.length = 0;
    await page.selectOption('#model', value);
    await until('the sentence', async () => (await wrongOf(page)).startsWith(`hub: ${repository} has no revision 'main'`));
    assert.deepEqual(asked, [`/api/models/${repository}/revision/main`]);
  }
  await context.unroute('https://huggingface.co/**');
  await page.close();
});

test('flags reach the engine', async () => {
  const page = await open('?plan=plain&kv=int8&context=64&subgroups=0');
  await until('the model', async () => /ready/.test(await textOf(page, '#status')), kLongMs);
  assert.match(await textOf(page, '#status'), /int8 cache, plan plain/);
  assert.deepEqual(await page.locator('.forms a').allTextContents(), ['kv=int8 \u00d7', 'plan=plain \u00d7', 'subgroups=0 \u00d7']);
  await page.close();
});

test('validate: every prompt of the starter passes', async () => {
  const page = await open('validate.html');
  await awaitOn(page, '#summary .verdict');
  const wrong = await page.locator('.card:has(.verdict.fail)').allTextContents();
  assert.deepEqual(wrong, []);
  assert.equal(await textOf(page, '#summary .verdict'), '12 of 12 pass');
  assert.equal(await page.locator('.card .top-tokens li').count(), 120);
  assert.match(await textOf(page, '.card details summary'), /entropy of the first token [\d.e-]+ bits/);
  await page.close();
});

test('validate: a wrong answer fails', async () => {
  // Another model's weights would do; here the page is told to expect another capital.
  intercept = (request, response) => {
    if (request.url !== '/validate.js') return false;
    import('node:fs').then(({ readFileSync }) => {
      const code = readFileSync(new URL('../dist/validate.js', import.meta.url), 'utf8');
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(code.replaceAll('"Paris"', '"Rome"'));
    });
    return true;
  };
  const page = await open('validate.html');
  await awaitOn(page, '.card:first-child .verdict.fail');
  intercept = () => false;
  assert.match(await textOf(page, '.card:first-child .wrong'), /expected \u201cRome\u201d/);
  await page.close();
});

test('kernels: every one has a case, and every case passes', async () => {
  const page = await open('kernels.html');
  await awaitOn(page, '#summary .verdict');
  const failed = await page.locator('tr:has(.verdict.fail)').allTextContents();
  assert.deepEqual(failed, []);
  const summary = await textOf(page, '#summary');
  assert.match(summary, /^(\d+) of \1 cases pass in \d+ kernels$/);
  assert.equal(await page.locator('.kernel .verdict.pass').first().isVisible(), true);
  assert.equal(await page.locator('.kernel > summary .verdict.waiting').count(), 0);
  const contract = await textOf(page, '#rms_norm .contract');
  assert.match(contract, /binding\s+name\s+type[\s\S]*numerics/);
  await page.close();
});

test('timeline: both steps are drawn to scale, and arrows move through them', async () => {
  const page = await open('timeline.html?context-length=20&prefill=5');
  await awaitOn(page, '.step');
  const { shares, width } = await page.evaluate(() => {
    const strip = document.querySelector('.strip');
    return {
      width: strip.getBoundingClientRect().width,
      shares: [...strip.children].map((s) => [Number(s.style.flexGrow), s.getBoundingClientRect().width]),
    };
  });
  assert.ok(Math.abs(shares.reduce((sum, [share]) => sum + share, 0) - 1) < 1e-6);
  for (const [share, drawn] of shares) assert.ok(Math.abs(drawn - share * width) < 2, `${share} is ${drawn} of ${width}`);
  assert.deepEqual(await page.locator('.step h2').allTextContents(), ['decode step after 19 tokens', 'prefill of 5 tokens']);
  await page.locator('.strip button').first().focus();
  await page.keyboard.press('ArrowRight');
  assert.match(await textOf(page, '.detail'), /^2 of \d+: /);
  assert.match(await textOf(page, '.detail'), /weight/);
  await page.close();
});

test('timeline: without a clock it is drawn by bytes, and says so', async () => {
  const page = await open('timeline.html?context-length=4&prefill=2', (fresh) =>
    fresh.route('**/worker.js', async (route) => {
      const hide =
        'const has = GPUSupportedFeatures.prototype.has;' +
        "GPUSupportedFeatures.prototype.has = function (name) { return name !== 'timestamp-query' && has.call(this, name); };\n";
      const response = await route.fetch();
      await route.fulfill({ response, body: hide + (await response.text()) });
    }),
  );
  await awaitOn(page, '.step');
  assert.match(await textOf(page, '.step .hint'), /drawn by bytes: this adapter has no clock to read/);
  await page.close();
});

test('bench: the table has every figure, and what was asked for too much is said', async () => {
  const page = await open('bench.html?contexts=16,40&tokens=8&prompt=16&repeats=1&plan=plain');
  await page.click('#run');
  await awaitOn(page, '#result table');
  const rows = await page.locator('#result tbody tr').allTextContents();
  assert.deepEqual(
    rows.map((row) => /^[a-z ]+\d*/.exec(row)[0].replace(/\d+$/, '').trim()),
    ['load', 'first token after', 'prefill of', 'decode after', 'decode after'],
  );
  assert.match(rows[4], /tok\/s.*GB\/s.*%/);
  assert.match(await textOf(page, '#result .hint'), /plan plain.*a plain read reaches/);
  assert.match(await textOf(page, '#webllm'), /This server does not offer it/);
  const report = JSON.parse(await textOf(page, '#report'));
  assert.deepEqual(report.figures.map(({ name, tokens }) => `${name} ${tokens}`), ['load 0', 'first token 16', 'prefill 16', 'decode 16', 'decode 40']);
  assert.equal(report.check.ids.length, 32);
  assert.match(report.host, /^Chrome\/\d+$/);
  await page.close();
  const tooLong = await open('bench.html?contexts=600');
  await tooLong.click('#run');
  assert.match(await wrongOf(tooLong), /'contexts' has 600, expected at most 504: the context holds 512/);
  await tooLong.close();
});

test('bench: beside WebLLM, where the server offers it', async () => {
  // A package of the same shape; the real one needs weights and a library that are not here.
  const fake = `export const CreateMLCEngine = async (id, { appConfig, initProgressCallback }) => {
    initProgressCallback({ progress: 1 });
    if (!appConfig.model_list[0].model.endsWith('/models/starter')) throw new Error('other weights');
    const usage = { completion_tokens: 9, extra: { decode_tokens_per_s: 2, prefill_tokens_per_s: 4 } };
    return { unload: async () => {}, chat: { completions: { create: async () => ({ usage, choices: [{ message: { content: id } }] }) } } };
  };`;
  intercept = (request, response) => {
    const answers = {
      '/webllm/web-llm.js': ['text/javascript', fake],
      '/webllm/models.json': ['application/json', '[{"model_id": "starter", "model": "../models/starter", "model_lib": "x.wasm"}]'],
    };
    const [type, body] = answers[request.url] ?? [];
    if (body) response.writeHead(200, { 'content-type': type }).end(body);
    return Boolean(body);
  };
  const page = await open('bench.html?tokens=16');
  await page.locator('#webllm button').click();
  await awaitOn(page, '#webllm table');
  intercept = () => false;
  const rows = await page.locator('#webllm tbody tr').allTextContents();
  assert.match(rows[0], /^handloom\d+/);
  assert.match(rows[1], /^WebLLM94 tok\/s2 tok\/s1\u00d7$/);
  await page.close();
});

test('models: what is kept, with sizes, and deleting it', async () => {
  const page = await open('models.html');
  await awaitOn(page, '#kept tr');
  const kept = page.locator('#kept tr').filter({ hasText: 'Starter' });
  assert.match(await kept.textContent(), /1[34](\.\d)? MB.*whole/);
  await kept.locator('button').click();
  await until('the deletion', async () => /None/.test(await textOf(page, '#kept')));
  await page.close();
});

test('device: the adapter, its limits, and what would be refused', async () => {
  const page = await open('device.html');
  await awaitOn(page, '#adapter tr');
  assert.match(await textOf(page, '#status'), /software/);
  assert.match(await textOf(page, '#adapter'), /Arithmetic in f16.*no/);
  assert.match(await textOf(page, '#limits'), /Largest binding.*MiB|GiB/);
  assert.match(await page.locator('#models tr', { hasText: 'Phi-3-mini' }).textContent(), /GB.*within limits/);
  await page.close();

  const small = await open('device.html', (fresh) =>
    fresh.addInitScript(() =>
      Object.defineProperty(GPUSupportedLimits.prototype, 'maxStorageBuffersPerShaderStage', { get: () => 4 }),
    ),
  );
  await awaitOn(small, '#adapter tr');
  assert.match(
    await small.locator('#models tr', { hasText: 'Phi-3-mini' }).textContent(),
    /refuseda kernel binds 8 storage buffers, allowed are 4/,
  );
  await small.close();
});

test('without WebGPU every page says so', async () => {
  for (const path of ['validate.html', 'kernels.html', 'timeline.html', 'device.html']) {
    const page = await open(path, (fresh) =>
      fresh.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })),
    );
    assert.match(await wrongOf(page), /no WebGPU/);
    await page.close();
  }
});
