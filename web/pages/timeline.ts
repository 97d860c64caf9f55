// The dispatches of a decode step and of a prefill, drawn to scale.
import { byId } from './lib/dom.js';
import { Inspector } from './lib/inspector.js';
import { madeUpIds } from './lib/made_up.js';
import { ModelBar } from './lib/model_bar.js';
import { openPage } from './lib/page.js';
import { attempt, say } from './lib/status.js';
import { Strip } from './lib/strip.js';

const context = byId<HTMLInputElement>('context');
const prefill = byId<HTMLInputElement>('prefill');
const draw = byId<HTMLButtonElement>('draw');

let bar: ModelBar | undefined;
let inspector: Inspector | undefined;

/** Within what the model's context holds. */
function sizes(): { nContext: number; nPrefill: number } {
  const { context: most } = inspector!.model.info;
  const [nContext, nPrefill] = [context, prefill].map((field) => Number(field.value));
  for (const n of [nContext, nPrefill]) {
    if (!Number.isInteger(n) || n < 1 || n >= most) {
      throw new Error(`timeline: ${n} tokens are asked for, expected 1 to ${most - 1}: the context holds ${most}`);
    }
  }
  return { nContext, nPrefill };
}

async function drawSteps(): Promise<void> {
  const { nContext, nPrefill } = sizes();
  const { info, adapter } = inspector!.model;
  say(`Evaluating ${Math.max(nContext, nPrefill)} tokens`);
  await inspector!.rewind(0);
  const ids = madeUpIds(Math.max(nContext, nPrefill), info.vocabSize);
  await inspector!.generate(ids, { temperature: 0, maxTokens: 1, idsOnly: true });
  say('Running decode steps');
  const decode = await inspector!.steps('decode', nContext);
  say('Running prefills');
  const whole = await inspector!.steps('prefill', nPrefill);
  byId('steps').replaceChildren(
    new Strip(`decode step after ${nContext - 1} tokens`, decode).element,
    new Strip(`prefill of ${nPrefill} tokens`, whole).element,
  );
  say(`${info.architecture}, ${info.weightDtype} weights, plan ${info.plan}, matvec ${info.matvec} on ${adapter.name}`);
}

async function redraw(): Promise<void> {
  draw.disabled = bar!.disabled = true;
  await attempt(drawSteps);
  draw.disabled = bar!.disabled = false;
}

async function load(): Promise<void> {
  draw.disabled = bar!.disabled = true;
  byId('steps').replaceChildren();
  const loaded = await attempt(async () => {
    await inspector?.model.dispose();
    inspector = undefined;
    inspector = await Inspector.open(await bar!.load({ inspects: true }));
  });
  bar!.disabled = false;
  if (!loaded) return;
  const { info, adapter } = inspector!.model;
  const [nContext, nPrefill] = adapter.software ? [64, 16] : [256, 128];
  context.value ||= String(Math.min(nContext, info.context - 1));
  prefill.value ||= String(Math.min(nPrefill, info.context - 1));
  await redraw();
}

byId('sizes').addEventListener('submit', (event) => {
  event.preventDefault();
  void redraw();
});

const flags = openPage({ 'context-length': 'number', prefill: 'number' });
if (flags) {
  context.value = String(flags.numbers['context-length']?.[0] ?? '');
  prefill.value = String(flags.numbers.prefill?.[0] ?? '');
  bar = new ModelBar(flags, () => void load());
  void load();
}
