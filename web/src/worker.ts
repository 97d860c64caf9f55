// The worker of a page: a LocalHost, called by messages.
import type { EngineHost } from './engine_host.js';
import { asHandloomError } from './errors.js';
import { LocalHost } from './local_host.js';

export type Method = keyof EngineHost;

export type Request =
  | { start: WebAssembly.Module }
  | { id: number; method: Method; args: unknown[] }
  | { abort: true }; // the loading

export type Reply =
  | { id: number; event: unknown[] }
  | { id: number; ok: unknown }
  | { id: number; error: { code: string; message: string } };

let start!: (wasm: WebAssembly.Module) => void;
const host = new LocalHost(new Promise((resolve) => (start = resolve)), navigator.gpu);
const loading = new AbortController();
const post = (reply: Reply) => postMessage(reply);

onmessage = async ({ data }: MessageEvent<Request>) => {
  if ('start' in data) {
    start(data.start);
    return;
  }
  if ('abort' in data) {
    loading.abort();
    return;
  }
  const { id, method, args } = data;
  try {
    // What is told on the way, and the signal, come last in these two.
    if (method === 'load' || method === 'generate') args.push((...event: unknown[]) => post({ id, event }));
    if (method === 'load') args.push(loading.signal);
    const call = host[method] as (...a: unknown[]) => Promise<unknown>;
    post({ id, ok: await call.apply(host, args) });
  } catch (thrown) {
    const { code, message } = asHandloomError(thrown, method);
    post({ id, error: { code, message } });
  }
};
