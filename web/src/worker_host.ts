// The engine in a worker, so that the page's own thread never blocks.
import { HandloomError, type ErrorCode } from './errors.js';
import type { EngineHost, Source } from './engine_host.js';
import type { GenerateOptions, Generation, LoadOptions, LoadProgress, LoadedModel, MemoryUse } from './types.js';
import type { Method, Reply } from './worker.js';

interface Pending {
  resolve(value: never): void;
  reject(error: HandloomError): void;
  onEvent?: (...event: never[]) => void;
}

export class WorkerHost implements EngineHost {
  private readonly pending = new Map<number, Pending>();
  private readonly started: Promise<void>;
  private nextId = 1;

  constructor(
    wasm: Promise<WebAssembly.Module>,
    private readonly worker: Worker,
  ) {
    this.started = wasm.then((module) => worker.postMessage({ start: module }));
    this.started.catch(() => undefined); // told by load()

    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const call = this.pending.get(data.id);
      if (!call) return;
      if ('event' in data) {
        call.onEvent?.(...(data.event as never[]));
        return;
      }
      this.pending.delete(data.id);
      if ('ok' in data) call.resolve(data.ok as never);
      else call.reject(new HandloomError(data.error.code as ErrorCode, data.error.message));
    };
    worker.onerror = (event) => this.fail(`the engine's worker ended: ${event.message || 'it cannot be loaded'}`);
  }

  private fail(message: string): void {
    for (const { reject } of this.pending.values()) reject(new HandloomError('internal', `worker: ${message}`));
    this.pending.clear();
  }

  private call<T>(method: Method, args: unknown[], onEvent?: (...event: never[]) => void): Promise<T> {
    const id = this.nextId++;
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { resolve, reject, onEvent });
      this.worker.postMessage({ id, method, args });
    });
  }

  load(
    source: Source,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<LoadedModel> {
    const abort = () => this.worker.postMessage({ abort: true });
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const loading = this.call<LoadedModel>('load', [source, options], onProgress);
    return Promise.all([loading, this.started])
      .then(([loaded]) => loaded)
      .finally(() => signal?.removeEventListener('abort', abort));
  }
  encode(text: string, addSpecials: boolean) {
    return this.call<number[]>('encode', [text, addSpecials]);
  }
  decode(ids: number[]) {
    return this.call<string>('decode', [ids]);
  }
  openSession() {
    return this.call<number>('openSession', []);
  }
  closeSession(session: number) {
    return this.call<void>('closeSession', [session]);
  }
  sessionIds(session: number) {
    return this.call<number[]>('sessionIds', [session]);
  }
  rewind(session: number, length: number) {
    return this.call<void>('rewind', [session, length]);
  }
  memoryUse() {
    return this.call<MemoryUse>('memoryUse', []);
  }
  generate(
    session: number,
    ids: number[],
    options: GenerateOptions,
    onText: (text: string, ids: number[]) => void,
  ) {
    return this.call<Generation>('generate', [session, ids, options], onText);
  }
  cancel(session: number) {
    return this.call<void>('cancel', [session]);
  }
  async dispose() {
    await this.call<void>('dispose', []);
    this.worker.terminate();
    this.fail('the model was disposed');
  }
}
