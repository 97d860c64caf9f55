// The part of the bench page that runs WebLLM and handloom on the same weights, one after the other.
import { byId, make, row, table } from './dom.js';
import type { Flags } from './flags.js';
import { threeDigits } from './format.js';
import { handloom } from './package.js';
import { attempt, say, showLoading } from './status.js';
import { type Answer, type WebLlmModel, askWebLlm, offeredModels } from './webllm.js';

const kPrompt = 'Write a long story about a lighthouse keeper and the sea.';
const kTokens = 128;

const place = byId('webllm');

async function askHandloom({ model: source }: WebLlmModel, options: Flags['load'], maxTokens: number): Promise<Answer> {
  const { loadModel } = await handloom();
  const model = await loadModel(source, { ...options, onProgress: showLoading });
  try {
    const session = await model.createSession();
    const messages = [{ role: 'user', content: kPrompt }];
    await session.generate(messages, { temperature: 0, maxTokens: 8 }).result;
    await session.close();
    const fresh = await model.createSession(); // nothing of the prompt is held
    const { text, stats } = await fresh.generate(messages, { temperature: 0, maxTokens }).result;
    return {
      text,
      tokens: stats.generatedTokens,
      prefillRate: (stats.promptTokens / stats.prefillMs) * 1000,
      decodeRate: ((stats.generatedTokens - 1) / stats.decodeMs) * 1000,
    };
  } finally {
    await model.dispose();
  }
}

function showAnswers(ours: Answer, theirs: Answer): void {
  const rowOf = (name: string, { tokens, prefillRate, decodeRate }: Answer) =>
    row(name, String(tokens), `${threeDigits(prefillRate)} tok/s`, `${threeDigits(decodeRate)} tok/s`, `${threeDigits(decodeRate / theirs.decodeRate)}\u00d7`);
  const same = ours.text.trim() === theirs.text.trim();
  place.querySelector('.result')!.replaceChildren(
    table(['', 'Tokens', 'Prefill', 'Decode', 'Of WebLLM'], [rowOf('handloom', ours), rowOf('WebLLM', theirs)]),
    make('p', { className: 'hint' }, same ? 'Both gave the same text.' : 'Their texts differ: sums are rounded in another order.'),
  );
}

function showChoice(models: WebLlmModel[], { load, numbers }: Flags): void {
  const tokens = numbers.tokens?.[0] ?? kTokens;
  const select = make('select', {}, ...models.map(({ model_id }) => new Option(model_id)));
  select.setAttribute('aria-label', 'Weights');
  const run = make('button', { type: 'button' }, 'Run both');
  run.addEventListener('click', async () => {
    run.disabled = true;
    const chosen = models[select.selectedIndex];
    await attempt(async () => {
      const ours = await askHandloom(chosen, load, tokens);
      say('WebLLM is loading');
      const theirs = await askWebLlm(chosen, kPrompt, tokens, showLoading);
      showAnswers(ours, theirs);
      say('');
    });
    run.disabled = false;
  });
  place.replaceChildren(
    make('h2', {}, 'Beside WebLLM'),
    make('div', { className: 'bar' }, select, run),
    make('div', { className: 'result' }),
  );
}

/** Looks for WebLLM on this server, and says how to offer it if it is not there. */
export async function showHeadToHead(flags: Flags): Promise<void> {
  const models = await offeredModels().catch(() => []);
  if (models.length > 0) {
    showChoice(models, flags);
    return;
  }
  place.replaceChildren(
    make('h2', {}, 'Beside WebLLM'),
    make(
      'p',
      { className: 'hint' },
      'This server does not offer it. Put the file lib/index.js of the package @mlc-ai/web-llm into web/webllm/ as ' +
        'web-llm.js, and beside it a models.json: [{"model_id": "...", "model": "folder of MLC weights", "model_lib": ' +
        '"its .wasm"}]. Both engines then run on the same weights.',
    ),
  );
}
