// handloom: language models in a page or under Node, on WebGPU.
//
//   const model = await loadModel('https://.../Phi-3-mini-4k-instruct-q4.gguf');
//   const session = await model.createSession();
//   for await (const { text } of session.generate([{ role: 'user', content: 'Hello' }])) show(text);
import { HandloomError } from './errors.js';
import { LocalHost, type EngineHost, type Source } from './engine_host.js';
import { describeAdapter, type AdapterDescription } from './gpu.js';
import { Model } from './model.js';
import type { LoadOptions, LoadProgress } from './types.js';
import { WorkerHost } from './worker_host.js';

export { deleteCached, listCached, type CachedModel } from './cache.js';
export { Chat, type ChatCompletion, type ChatCompletionChunk, type ChatRequest } from './chat.js';
export { HandloomError, type ErrorCode } from './errors.js';
export type { Source } from './engine_host.js';
export {
  Model,
  Session,
  renderChat,
  type GeneratedPiece,
  type GenerationStream,
  type SessionGenerateOptions,
} from './model.js';
export type * from './types.js';

export interface LoadModelOptions extends LoadOptions {
  onProgress?: (progress: LoadProgress) => void;
  /** Ends the loading with an error of code `aborted`. */
  signal?: AbortSignal;
  /** Under Node: the GPU of the package `webgpu`. The engine then runs in this thread. */
  adapter?: GPU;
  /** Where handloom.wasm and worker.js are; beside this file unless said otherwise. */
  wasmUrl?: string | URL;
  workerUrl?: string | URL;
}

export type { AdapterDescription } from './gpu.js';

export interface Capabilities {
  supported: boolean;
  /** Why not, in one sentence. */
  reason?: string;
  adapter?: AdapterDescription;
}

/** Whether this browser can run models at all, found out without loading anything. */
export async function checkCapabilities(gpu: GPU | undefined = globalThis.navigator?.gpu): Promise<Capabilities> {
  const no = (reason: string) => ({ supported: false, reason });
  if (typeof WebAssembly === 'undefined') return no('This browser has no WebAssembly.');
  if (globalThis.isSecureContext === false) return no('WebGPU needs a page served over https, or from localhost.');
  if (!gpu) return no('This browser has no WebGPU. Use a current Chrome, Edge, Safari or Firefox.');
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) return no('WebGPU finds no graphics adapter here. It may be blocked, or its driver too old.');
  return { supported: true, adapter: describeAdapter(adapter) };
}

async function compileWasm(url: URL): Promise<WebAssembly.Module> {
  if (url.protocol === 'file:') {
    const { readFile } = await import(/* @vite-ignore */ 'node:fs/promises' as string);
    return WebAssembly.compile(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) {
    throw new HandloomError('io', `${url}: the server answers ${response.status}, expected the engine`);
  }
  return WebAssembly.compileStreaming(response);
}

/** Loads a model. Errors are HandloomErrors; their messages say what to do. */
export async function loadModel(source: Source, options: LoadModelOptions = {}): Promise<Model> {
  const { onProgress, signal, adapter, wasmUrl, workerUrl, ...engineOptions } = options;
  const wasm = compileWasm(new URL(wasmUrl ?? './handloom.wasm', import.meta.url));
  const host: EngineHost =
    adapter || typeof Worker === 'undefined'
      ? new LocalHost(wasm, adapter ?? globalThis.navigator?.gpu)
      : new WorkerHost(wasm, new Worker(new URL(workerUrl ?? './worker.js', import.meta.url), { type: 'module' }));
  // A worker resolves relative URLs against itself.
  const place = typeof source === 'string' && globalThis.location ? new URL(source, location.href).href : source;
  try {
    const loaded = await host.load(place, engineOptions, (progress) => onProgress?.(progress), signal);
    return new Model(host, loaded);
  } catch (error) {
    await host.dispose().catch(() => undefined);
    throw error;
  }
}
