// A battery of prompts: how likely the first tokens are, how the answer goes on, whether it is right.
import type { Model } from '../src/index.js';
import { type Prompt, batteryFor, wrongWith } from './lib/battery.js';
import { byId, make, verdict } from './lib/dom.js';
import { percent, threeDigits } from './lib/format.js';
import { handloom } from './lib/package.js';
import { Inspector, type NextToken } from './lib/inspector.js';
import { ModelBar } from './lib/model_bar.js';
import { openPage } from './lib/page.js';
import { attempt, say, showProgress } from './lib/status.js';

const kTop = 10;
const run = byId<HTMLButtonElement>('run');

let bar: ModelBar | undefined;
let inspector: Inspector | undefined;

interface Answered {
  next: NextToken;
  text: string;
  /** One sentence; empty: it passes. */
  wrong: string;
}

async function answer(prompt: Prompt): Promise<Answered> {
  const { model } = inspector!;
  const { renderChat } = await handloom();
  const template = model.info.chatTemplate;
  const ids = template.text
    ? await model.encode(renderChat(template, [{ role: 'user', content: prompt.text }]))
    : await model.encode(prompt.text, true);
  const next = await inspector!.nextToken(ids, kTop);
  await inspector!.rewind(ids.length - 1); // what comes before is held already
  const { text, ids: made } = await inspector!.generate(ids.slice(-1), { temperature: 0, maxTokens: prompt.maxTokens });
  let wrong = wrongWith(prompt, text);
  if (!next.finite) wrong = 'a logit is not a number';
  else if (made[0] !== next.top[0].id) wrong = `the GPU chose token ${made[0]}, the likeliest is ${next.top[0].id}`;
  return { next, text, wrong };
}

/** A token as it can be seen: a space, a newline, an end. */
const visible = (text: string) => text.replace(/\n/g, '\u21b5').replace(/ /g, '\u2423') || '\u2205';

function topTokens({ top }: NextToken): HTMLElement {
  const rows = top.map(({ id, text, probability }) => {
    const share = make('span', { className: 'share' });
    share.style.width = `${100 * probability}%`;
    return make(
      'li',
      { title: `token ${id}` },
      make('code', {}, visible(text)),
      make('span', { className: 'track' }, share),
      make('span', { className: 'number' }, percent(probability)),
    );
  });
  return make('ol', { className: 'top-tokens' }, ...rows);
}

/** A prompt's card, before it is answered and after. */
function card({ kind, text }: Prompt, answered?: Answered): HTMLElement {
  const state = !answered ? verdict('waiting') : verdict(answered.wrong ? 'fail' : 'pass');
  const head = make('div', { className: 'card-head' }, make('h2', {}, kind), state);
  const made = make('section', { className: 'card' }, head, make('p', { className: 'asked' }, text));
  if (!answered) return made;
  const entropy = `entropy of the first token ${threeDigits(answered.next.entropyBits)} bits`;
  made.append(
    make('p', { className: 'answer' }, answered.text || 'nothing'),
    make('p', { className: 'wrong' }, answered.wrong),
    make('details', {}, make('summary', {}, `Top ${answered.next.top.length} tokens, ${entropy}`), topTokens(answered.next)),
  );
  return made;
}

async function runBattery(model: Model): Promise<void> {
  const prompts = batteryFor(model.info);
  const cards = prompts.map((prompt) => card(prompt));
  byId('prompts').replaceChildren(...cards);
  byId('summary').textContent = '';
  let passed = 0;
  for (let i = 0; i < prompts.length; i++) {
    say(`Asking ${i + 1} of ${prompts.length}`);
    showProgress(i / prompts.length);
    const answered = await answer(prompts[i]);
    if (!answered.wrong) passed++;
    cards[i].replaceWith(card(prompts[i], answered));
  }
  say('');
  byId('summary').replaceChildren(
    verdict(passed === prompts.length ? 'pass' : 'fail', `${passed} of ${prompts.length} pass`),
    ` on ${model.adapter.name}, plan ${model.info.plan}, matvec ${model.info.matvec}, ${model.info.kvDtype} cache`,
  );
}

async function load(): Promise<void> {
  run.disabled = bar!.disabled = true;
  await attempt(async () => {
    await inspector?.model.dispose();
    inspector = undefined;
    inspector = await Inspector.open(await bar!.load({ inspects: true }));
    await runBattery(inspector.model);
  });
  bar!.disabled = false;
  run.disabled = !inspector;
}

run.addEventListener('click', async () => {
  run.disabled = bar!.disabled = true;
  await attempt(() => runBattery(inspector!.model));
  run.disabled = bar!.disabled = false;
});

const flags = openPage();
if (flags) {
  bar = new ModelBar(flags, () => void load());
  void load();
}
