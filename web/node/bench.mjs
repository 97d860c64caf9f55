// node dist/bench_node.js MODEL [--NAME VALUE]...   the figures of `handloom bench` under Node, whose WebGPU
// is Dawn's (package `webgpu`): what a tab does, also where no browser reaches the GPU
//   --contexts 256,1024 --prompt 512 --tokens 128 --repeats 3 --context 4096
//   --precision f32 --kv f16 --plan plain --matvec int8 --subgroups 0   as of the command line
//   --dawn native     f16 and unchecked bounds as the native program has them; browser (default): as tabs do
//   --adapter TEXT    part of its name; the best one unless said otherwise
//   --json FILE       adds a line in the form of `handloom bench --json`
//   --compare FILE    such a line of either: the ratio of each figure, and whether the same tokens follow
import { appendFileSync, readFileSync } from 'node:fs';
import { machine, release, type } from 'node:os';
import { basename } from 'node:path';

import { readFlags } from '../pages/lib/flags.ts';
import { median, percent, rateText, threeDigits } from '../pages/lib/format.ts';
import { Inspector } from '../pages/lib/inspector.ts';
import { Timer, fitWork, loadFigure, measure, titleOf } from '../pages/lib/measure.ts';
import { handloom } from '../pages/lib/package.ts';
import { openGpu } from './gpu.mjs';

// The check of the native bench (apps/cli/bench_check.h): what follows the first ids that are made up.
const kCheckPrompt = 16, kCheckTokens = 32;

const kNative = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_robustness,disable_workgroup_init',
  'disable-dawn-features=timestamp_quantization,lazy_clear_resource_on_first_use',
];
const kDawn = { native: kNative, browser: [] };

/** The words of the command line, those of this program apart from those of a page's URL. */
function readWords([model, ...words]) {
  if (!model || model.startsWith('--')) throw new Error('bench: no model, expected a folder or a .gguf file first');
  const own = { dawn: 'browser', adapter: '', json: '', compare: '' };
  const shared = new URLSearchParams();
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i].replace(/^--/, '');
    if (words[i + 1] === undefined) throw new Error(`bench: '${words[i]}' has no value`);
    if (name in own) own[name] = words[i + 1];
    else shared.append(name, words[i + 1]);
  }
  if (!kDawn[own.dawn]) throw new Error(`bench: 'dawn' is '${own.dawn}', expected native or browser`);
  const flags = readFlags({ contexts: 'list', prompt: 'number', tokens: 'number', repeats: 'number' }, shared, 'bench');
  return { model, flags, ...own };
}

async function measureAsAsked(model, work) {
  const inspector = await Inspector.open(model);
  const readBandwidth = await inspector.bandwidth();
  const timer = new Timer(inspector);
  const ids = await timer.greedy(kCheckPrompt, kCheckTokens);
  return { ids, readBandwidth, figures: [loadFigure(model.loadMs), ...(await measure(timer, work, () => undefined))] };
}

/** `device`: what Dawn calls the adapter; its description, which a page shows, names the driver alone. */
function report({ model: path, flags, dawn }, { info, adapter }, device, repeats, { ids, readBandwidth, figures }) {
  const { precision = 'automatic', plan = 'automatic', matvec = 'automatic' } = flags.load;
  return {
    handloom: HANDLOOM_VERSION,
    commit: HANDLOOM_COMMIT,
    date: new Date().toISOString().slice(0, 10),
    system: `${type()} ${release()} ${machine()}`,
    host: `Node ${process.version}, Dawn as ${dawn}`,
    adapter: { name: device || adapter.name, kind: adapter.software ? 'software' : 'unknown', driver: adapter.driver, backend: 'WebGPU' },
    model: {
      name: basename(path),
      architecture: info.architecture,
      weights: info.weightDtype,
      kv: info.kvDtype,
      plan: info.plan,
      matvec: info.matvec,
      context: info.context,
      weight_bytes_per_token: info.weightBytesPerToken,
      kv_bytes_per_token: info.kvBytesPerToken,
    },
    options: { precision, plan, matvec, subgroups: flags.load.subgroups !== false, tune: 'off', sampling: 'GPU', repeats },
    read_bytes_per_second: readBandwidth,
    check: { ids },
    figures: figures.map(({ name, tokens, unit, samples, bytesPerSecond }) => ({
      name,
      tokens,
      unit,
      median: median(samples),
      least: Math.min(...samples),
      most: Math.max(...samples),
      bytes_per_second: bytesPerSecond,
    })),
  };
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
  const { loadModel } = await handloom();
  const wasmUrl = new URL('inspect.wasm', import.meta.url);
  const gpu = await openGpu([...kDawn[asked.dawn], ...(asked.adapter ? [`adapter=${asked.adapter}`] : [])]);
  const model = await loadModel(asked.model, { ...asked.flags.load, adapter: gpu, wasmUrl });
  const work = fitWork(asked.flags.numbers, model.info.context);
  const { info } = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const made = report(asked, model, info.device, work.repeats, await measureAsAsked(model, work));
  await model.dispose();
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
