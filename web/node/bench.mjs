// node dist/bench_node.js MODEL [--NAME VALUE]...   the figures of `handloom bench` under Node, whose WebGPU
// is Dawn's (package `webgpu`): what a tab does, also where no browser reaches the GPU; or in a browser
//   --contexts 256,1024 --prompt 512 --tokens 128 --repeats 3 --context 4096
//   --precision f32 --kv f16 --plan plain --matvec int8 --subgroups 0   as of the command line
//   --browser FILE    a Chromium, which measures on its bench page, headless
//   --dawn native     f16 and unchecked bounds as the native program has them; browser (default): as tabs do
//   --adapter TEXT    part of its name; the best one unless said otherwise; not in a browser
//   --json FILE       adds a line in the form of `handloom bench --json`
//   --compare FILE    such a line of either: the ratio of each figure, and whether the same tokens follow
import { appendFileSync, readFileSync } from 'node:fs';
import { machine, release, type } from 'node:os';
import { basename, resolve } from 'node:path';

import { readFlags } from '../pages/lib/flags.ts';
import { median, percent, rateText, threeDigits } from '../pages/lib/format.ts';
import { fitWork, titleOf } from '../pages/lib/measure.ts';
import { handloom } from '../pages/lib/package.ts';
import { measureModel, reportOf } from '../pages/lib/report.ts';
import { serve } from '../serve.mjs';
import { kWebGpu, openBrowser } from './chromium.mjs';
import { openGpu } from './gpu.mjs';

const kSystem = `${type()} ${release()} ${machine()}`;

// Toggles of Dawn that the native program sets (src/gpu/backend_dawn.cpp).
const kNative = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_robustness,disable_workgroup_init',
  'disable-dawn-features=timestamp_quantization,lazy_clear_resource_on_first_use',
];
const kDawn = { native: kNative, browser: [] };
const dawnFlags = (prefix, dawn) => kDawn[dawn].map((flag) => prefix + flag);

/** The words of the command line, those of this program apart from those of a page's URL. */
function readWords([model, ...words]) {
  if (!model || model.startsWith('--')) throw new Error('bench: no model, expected a folder or a .gguf file first');
  const own = { dawn: 'browser', adapter: '', browser: '', json: '', compare: '' };
  const shared = new URLSearchParams();
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i].replace(/^--/, '');
    if (words[i + 1] === undefined) throw new Error(`bench: '${words[i]}' has no value`);
    if (name in own) own[name] = words[i + 1];
    else shared.append(name, words[i + 1]);
  }
  if (!kDawn[own.dawn]) throw new Error(`bench: 'dawn' is '${own.dawn}', expected native or browser`);
  if (own.browser && own.adapter) throw new Error("bench: 'adapter' is not for a browser, which chooses its own; leave it out");
  const flags = readFlags({ contexts: 'list', prompt: 'number', tokens: 'number', repeats: 'number' }, shared, 'bench');
  return { model, flags, shared, ...own };
}

/** In this program, on Dawn through the package `webgpu`. */
async function benchHere({ model: path, flags, dawn, adapter }) {
  const { loadModel } = await handloom();
  const gpu = await openGpu([...dawnFlags('', dawn), ...(adapter ? [`adapter=${adapter}`] : [])]);
  const model = await loadModel(path, { ...flags.load, adapter: gpu, wasmUrl: new URL('inspect.wasm', import.meta.url) });
  const work = fitWork(flags.numbers, model.info.context);
  const { info } = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  // Dawn's name of the adapter: its description, which a page shows, names the driver alone.
  const place = { system: kSystem, host: `Node ${process.version}, Dawn as ${dawn}`, device: info.device };
  const made = reportOf(basename(path), flags.load, model, work.repeats, place, await measureModel(model, work, () => undefined));
  await model.dispose();
  return made;
}

/** On the bench page, in a browser of its own. */
async function benchInBrowser({ model: path, shared, dawn, browser: executable }) {
  const given = resolve(path);
  const server = await serve({ given });
  const browser = await openBrowser([kWebGpu, ...dawnFlags('--', dawn)], executable);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${server.url}bench.html?${new URLSearchParams([['model', `./given/${basename(given)}`], ...shared])}`);
    await page.click('#run:not([disabled])');
    const said = page.locator('#report, #status.wrong:not(:empty)');
    const text = await said.first().textContent();
    if ((await said.first().getAttribute('id')) === 'status') throw new Error(text);
    const made = JSON.parse(text);
    const host = `Chromium ${browser.version()}, Dawn as ${dawn}`;
    return { ...made, system: kSystem, host, model: { ...made.model, name: basename(given) } };
  } finally {
    await browser.close();
    server.close();
  }
}

/** The last line of a file of reports. */
const readReport = (file) => JSON.parse(readFileSync(file, 'utf8').trim().split('\n').at(-1));

function textOf(made, earlier) {
  const { model, adapter, figures, read_bytes_per_second: readBandwidth } = made;
  const lines = [
    `${model.name} (${model.architecture}): weights ${model.weights}, KV ${model.kv}, plan ${model.plan}, matvec ${model.matvec}`,
    `${made.host}; ${adapter.name}, ${adapter.driver}; a plain read reaches ${rateText(readBandwidth)}`,
    `${made.system}, handloom ${made.handloom} of commit ${made.commit}, ${made.date}`,
  ];
  const row = (first, ...cells) => (first.padEnd(26) + cells.map((cell) => cell.padStart(10)).join('')).trimEnd();
  lines.push('', row('', 'median', 'least', 'most', 'unit', ...(earlier ? ['earlier', 'ratio'] : []), 'bandwidth', 'of read'));
  for (const figure of figures) {
    const before = earlier?.figures.find(({ name, tokens }) => name === figure.name && tokens === figure.tokens);
    const beside = before ? [threeDigits(before.median), `${(figure.median / before.median).toFixed(2)}x`] : earlier ? ['', ''] : [];
    const { median: middle, least, most, unit, bytes_per_second: rate } = figure;
    const share = rate ? [rateText(rate), percent(rate / readBandwidth)] : [];
    lines.push(row(titleOf(figure), ...[middle, least, most].map(threeDigits), unit, ...beside, ...share));
  }
  const theirs = earlier?.check.ids;
  if (theirs) {
    const same = made.check.ids.filter((id, i) => id === theirs[i]).length;
    lines.push('', `check: ${same} of ${theirs.length} ids are those of ${earlier.host ?? 'the native bench'}`);
  }
  return lines.join('\n');
}

async function bench() {
  const asked = readWords(process.argv.slice(2));
  const earlier = asked.compare ? readReport(asked.compare) : undefined;
  const made = await (asked.browser ? benchInBrowser(asked) : benchHere(asked));
  console.log(textOf(made, earlier));
  if (asked.json) appendFileSync(asked.json, `${JSON.stringify(made)}\n`);
}

bench().then(
  () => process.exit(0), // Dawn's loop goes on for ever
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
