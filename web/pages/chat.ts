// The chat page. Painted before any of the engine is here; loads the model at once.
import type { Generation, GenerationStream, Message, Model, Session } from '../src/index.js';
import { type Turn, keepTurns, keptTurns } from './lib/conversation.js';
import { byId, make } from './lib/dom.js';
import { rateText, threeDigits } from './lib/format.js';
import { ModelBar } from './lib/model_bar.js';
import { openPage } from './lib/page.js';
import { readSettings, restoreSettings } from './lib/settings.js';
import { attempt } from './lib/status.js';

const talk = byId('main');
const prompt = byId<HTMLTextAreaElement>('prompt');
const send = byId<HTMLButtonElement>('send');
const stop = byId('stop'), retry = byId('retry'), clear = byId('clear');

let bar: ModelBar | undefined;
let model: Model | undefined;
let session: Session | undefined;
let loading: AbortController | undefined;
let turns: Turn[] = keptTurns();
let answering: AbortController | undefined;

function enable(): void {
  send.disabled = !session || answering !== undefined;
  send.hidden = answering !== undefined;
  stop.hidden = answering === undefined;
  retry.hidden = answering !== undefined || turns.at(-1)?.role !== 'assistant';
  clear.hidden = turns.length === 0;
  if (bar) bar.disabled = answering !== undefined;
}

function show({ role, content, figures }: Turn): HTMLElement {
  const message = make(
    'div',
    { className: `message ${role}` },
    make('span', { className: 'text' }, content),
    make('span', { className: 'figures' }, figures ?? ''),
  );
  talk.append(message);
  message.scrollIntoView({ block: 'end' });
  return message;
}

function showAll(): void {
  talk.replaceChildren();
  turns.forEach(show);
  if (turns.length === 0) talk.append(make('p', { className: 'hint' }, 'The model runs in this tab: what you write stays here.'));
}

async function load(): Promise<void> {
  loading?.abort();
  const mine = (loading = new AbortController());
  const old = model;
  model = session = undefined;
  enable();
  await attempt(async () => {
    await old?.dispose();
    const loaded = await bar!.load({ signal: mine.signal });
    if (loading !== mine) return loaded.dispose(); // another one was chosen meanwhile
    model = loaded;
    session = await model.createSession();
  });
  enable();
}

/** Tokens a second, and what they read of the GPU's memory; of a whole answer or so far. */
function speed(steps: number, ms: number, bytes: number): string {
  const seconds = ms / 1000;
  return `${threeDigits(steps / seconds)} tok/s, ${rateText(bytes / seconds)}`;
}

function figuresOf({ stats, finishReason }: Generation): string {
  const steps = stats.generatedTokens - 1;
  const first = `first token after ${threeDigits(stats.prefillMs)} ms`;
  const stopped = finishReason === 'cancelled' ? ', stopped' : '';
  return (steps > 0 ? `${speed(steps, stats.decodeMs, stats.decodeBytes)}, ${first}` : first) + stopped;
}

/** Shows an answer as it comes, with its speed. */
async function showStream(stream: GenerationStream, message: HTMLElement): Promise<void> {
  const [text, figures] = message.children;
  const { weightBytesPerToken, kvBytesPerToken } = model!.info;
  let n = 0, firstAt = 0;
  for await (const piece of stream) {
    text.textContent += piece.text;
    n += piece.ids.length;
    if (firstAt === 0) firstAt = performance.now();
    else figures.textContent = speed(n - 1, performance.now() - firstAt, (n - 1) * (weightBytesPerToken + n * kvBytesPerToken));
    message.scrollIntoView({ block: 'end' });
  }
}

/** Answers the turns so far, of which a person's is the last. */
async function answer(): Promise<void> {
  const message = show({ role: 'assistant', content: '' });
  answering = new AbortController();
  const { signal } = answering;
  enable();
  const answered = await attempt(async () => {
    const { options, system } = readSettings();
    const messages: Message[] = turns.map(({ role, content }) => ({ role, content }));
    if (system) messages.unshift({ role: 'system', content: system });
    const stream = session!.generate(messages, { ...options, signal });
    await showStream(stream, message);
    const made = await stream.result;
    const turn = { role: 'assistant', content: made.text, figures: figuresOf(made) };
    turns.push(turn);
    message.lastElementChild!.textContent = turn.figures;
  });
  answering = undefined;
  if (!answered) {
    message.remove();
    prompt.value ||= turns.pop()?.content ?? '';
    showAll();
  }
  keepTurns(turns);
  enable();
  prompt.focus();
}

function ask(): void {
  const text = prompt.value.trim();
  if (!text || send.disabled) return;
  prompt.value = '';
  if (turns.length === 0) talk.replaceChildren();
  turns.push({ role: 'user', content: text });
  show(turns.at(-1)!);
  void answer();
}

byId<HTMLFormElement>('form').addEventListener('submit', (event) => {
  event.preventDefault();
  ask();
});
prompt.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') answering?.abort();
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});
stop.addEventListener('click', () => answering?.abort());
retry.addEventListener('click', () => {
  turns.pop();
  talk.lastElementChild?.remove();
  void answer();
});
clear.addEventListener('click', () => {
  answering?.abort();
  turns = [];
  keepTurns(turns);
  showAll();
  enable();
});

restoreSettings();
showAll();
const flags = openPage();
if (flags) {
  bar = new ModelBar(flags, () => void load());
  void load();
}
enable();
