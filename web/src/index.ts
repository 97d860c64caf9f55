// handloom: language models in a page or under Node, on WebGPU.
//
//   const model = await loadModel('https://.../Phi-3-mini-4k-instruct-q4.gguf');
//   const session = await model.createSession();
//   for await (const { text } of session.generate([{ role: 'user', content: 'Hello' }])) show(text);
import { HandloomError, asHandloomError, checkSignal } from './errors.js';
import type { EngineHost } from './engine_host.js';
import { describeAdapter } from './gpu.js';
import { LocalHost } from './local_host.js';
import { Model } from './model.js';
import { resolveSource, type Source } from './source.js';
import type { AdapterDescription, GpuSource, LoadOptions, LoadProgress } from './types.js';
import { WorkerHost } from './worker_host.js';

export { deleteCached, listCached, type CachedModel } from './cache.js';
export { Chat, type ChatCompletion, type ChatCompletionChunk, type ChatRequest } from './chat.js';
export { HandloomError, type ErrorCode } from './errors.js';
export type { EngineHost } from './engine_host.js';
export type { Source } from './source.js';
export {
  Model,
  Session,
  renderChat,
  type GeneratedPiece,
  type GenerationStream,
  type SessionGenerateOptions,
} from './model.js';
export type * from './types.js';

export interface EngineOptions {
  /** Under Node: the GPU of the package `webgpu`. The engine then runs in this thread. */
  adapter?: GpuSource;
  /** Where handloom.wasm and worker.js are; beside this file unless said otherwise. */
  wasmUrl?: string | URL;
  workerUrl?: string | URL;
}

export interface LoadModelOptions extends LoadOptions, EngineOptions {
  onProgress?: (progress: LoadProgress) => void;
  /** Ends the loading with an error of code `aborted`. */
  signal?: AbortSignal;
}

export interface Capabilities {
  supported: boolean;
  /** Why not, in one sentence. */
  reason?: string;
  adapter?: AdapterDescription;
}

/** Whether this browser can run models at all, found out without loading anything. */
export async function checkCapabilities(gpu: GpuSource | undefined = globalThis.navigator?.gpu): Promise<Capabilities> {
  const no = (reason: string) => ({ supported: false, reason });
  if (typeof WebAssembly === 'undefined') return no('This browser has no WebAssembly.');
  if (globalThis.isSecureContext === false) return no('WebGPU needs a page served over https, or from localhost.');
  if (!gpu) return no('This browser has no WebGPU. Use a current Chrome, Edge, Safari or Firefox.');
  const adapter = await (gpu as GPU).requestAdapter().catch(() => null);
  if (!adapter) return no('WebGPU finds no graphics adapter here. It may be blocked, or its driver too old.');
  return { supported: true, adapter: describeAdapter(adapter) };
}

async function compileWasm(url: URL): Promise<WebAssembly.Module> {
  if (url.protocol === 'file:') {
    const { readFile } = await import(/* @vite-ignore */ 'node:fs/promises' as string);
    return WebAssembly.compile(await readFile(url));
  }
  const missing = (reason: string) => new HandloomError('io', `${url}: cannot be loaded, expected the engine: ${reason}`);
  const response = await fetch(url).catch((error: Error) => {
    throw missing(error.message);
  });
  if (!response.ok) throw missing(`the server answers ${response.status}`);
  return WebAssembly.compileStreaming(response).catch((error: Error) => {
    throw missing(error.message);
  });
}

/** The engine without a model, in a worker where there are any. */
export async function startEngine({ adapter, wasmUrl, workerUrl }: EngineOptions = {}): Promise<EngineHost> {
  const wasm = compileWasm(new URL(wasmUrl ?? './handloom.wasm', import.meta.url)); // while the device is opened
  return adapter || typeof Worker === 'undefined'
    ? new LocalHost(wasm, (adapter as GPU) ?? globalThis.navigator?.gpu)
    : new WorkerHost(wasm, new Worker(new URL(workerUrl ?? './worker.js', import.meta.url), { type: 'module' }));
}

/** Loads a model. Errors are HandloomErrors; their messages say what to do. */
export async function loadModel(source: Source, options: LoadModelOptions = {}): Promise<Model> {
  const { onProgress, signal, adapter, wasmUrl, workerUrl, ...engineOptions } = options;
  checkSignal(signal, 'loadModel');
  const host = await startEngine({ adapter, wasmUrl, workerUrl });
  try {
    const place = resolveSource(source, options);
    const loaded = await host.load(place, engineOptions, (progress) => onProgress?.(progress), signal);
    return new Model(host, loaded);
  } catch (error) {
    await host.dispose().catch(() => undefined);
    throw asHandloomError(error, 'loadModel');
  }
}
