// The chat page. Painted before any of the engine is here; loads the model at once.
import type { Generation, LoadProgress, Message, Model, Session } from '../src/index.js';

const handloom = () => import('./handloom.js' as string) as Promise<typeof import('../src/index.js')>;

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const messages = element('messages');
const status = element('status');
const progress = element<HTMLProgressElement>('progress');
const prompt = element<HTMLTextAreaElement>('prompt');
const send = element<HTMLButtonElement>('send');
const stop = element<HTMLButtonElement>('stop');
const retry = element<HTMLButtonElement>('retry');
const picker = element<HTMLSelectElement>('model');
const file = element<HTMLInputElement>('file');

let model: Model | undefined;
let session: Session | undefined;
let history: Message[] = [];
let answering: AbortController | undefined;

function say(text: string, isWrong = false): void {
  status.textContent = text;
  status.classList.toggle('wrong', isWrong);
}

function enable(): void {
  send.disabled = !session || answering !== undefined;
  send.hidden = answering !== undefined;
  stop.hidden = answering === undefined;
  retry.hidden = answering !== undefined || history.length < 2;
}

function add(role: string, text: string): HTMLElement {
  const message = document.createElement('div');
  message.className = `message ${role}`;
  message.textContent = text;
  messages.append(message);
  message.scrollIntoView({ block: 'end' });
  return message;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;

function showProgress({ doneBytes, totalBytes, stage }: LoadProgress): void {
  progress.value = totalBytes > 0 ? doneBytes / totalBytes : 0;
  say(
    stage === 'weights'
      ? `Loading ${megabytes(doneBytes)} of ${megabytes(totalBytes)}`
      : 'Preparing the kernels for this GPU',
  );
}

async function load(source: string | File): Promise<void> {
  progress.hidden = false;
  say('Starting');
  const old = model;
  model = session = undefined;
  enable();
  try {
    await old?.dispose();
    const { checkCapabilities, loadModel } = await handloom();
    const capabilities = await checkCapabilities();
    if (!capabilities.supported) throw new Error(capabilities.reason);
    model = await loadModel(source, { onProgress: showProgress });
    session = await model.createSession();
    say(
      `${model.info.architecture}, ${model.info.weightDtype} weights, ready in ` +
        `${(model.loadMs / 1000).toFixed(2)} s on ${model.adapter.name}`,
    );
  } catch (error) {
    say((error as Error).message, true);
  }
  progress.hidden = true;
  enable();
}

function figures({ stats }: Generation): string {
  const steps = stats.generatedTokens - 1;
  if (steps < 1) return `${stats.promptTokens} prompt tokens in ${stats.prefillMs.toFixed(0)} ms`;
  const seconds = stats.decodeMs / 1000;
  return (
    `${(steps / seconds).toFixed(1)} tok/s, ${(stats.decodeBytes / seconds / 1e9).toFixed(2)} GB/s, ` +
    `first token after ${stats.prefillMs.toFixed(0)} ms`
  );
}

const numberIn = (id: string) => {
  const { value } = element<HTMLInputElement>(id);
  return value === '' ? undefined : Number(value);
};

/** Answers the history, which ends with what the person said. */
async function answer(): Promise<void> {
  if (!session) return;
  answering = new AbortController();
  enable();
  const message = add('assistant', '');
  const text = document.createElement('span');
  message.append(text);
  try {
    const stream = session.generate(history, {
      temperature: numberIn('temperature'),
      maxTokens: numberIn('max-tokens'),
      signal: answering.signal,
    });
    for await (const piece of stream) {
      text.textContent += piece.text;
      message.scrollIntoView({ block: 'end' });
    }
    const made = await stream.result;
    history.push({ role: 'assistant', content: made.text });
    const line = document.createElement('span');
    line.className = 'figures';
    line.textContent = figures(made);
    message.append(line);
  } catch (error) {
    message.remove();
    say((error as Error).message, true);
  }
  answering = undefined;
  enable();
  prompt.focus();
}

element<HTMLFormElement>('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = prompt.value.trim();
  if (!text || send.disabled) return;
  prompt.value = '';
  add('user', text);
  history.push({ role: 'user', content: text });
  void answer();
});
prompt.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element<HTMLFormElement>('form').requestSubmit();
});
stop.addEventListener('click', () => answering?.abort());
retry.addEventListener('click', () => {
  history.pop();
  messages.lastElementChild?.remove();
  void answer();
});
picker.addEventListener('change', () => {
  history = [];
  messages.replaceChildren();
  if (picker.value === 'file') {
    file.click();
  } else if (picker.value === 'url') {
    const url = window.prompt('URL of a .gguf file, or of a folder with config.json and safetensors');
    if (url) void load(url);
  } else {
    void load(picker.value);
  }
});
file.addEventListener('change', () => {
  if (file.files?.[0]) void load(file.files[0]);
});

enable();
void load(picker.value);
