// The engine in a worker, so that the page's own thread never blocks.
import { HandloomError, asHandloomError, disposed, type ErrorCode } from './errors.js';
import type { EngineHost } from './engine_host.js';
import type { Source } from './source.js';
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
  private ended: HandloomError | undefined;

  constructor(
    wasm: Promise<WebAssembly.Module>,
    private readonly worker: Worker,
  ) {
    this.started = wasm.then((module) => worker.postMessage({ start: module }));
    this.started.catch((error) => this.end(asHandloomError(error, 'worker')));

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
    worker.onerror = (event) =>
      this.end(new HandloomError('internal', `worker: ended: ${event.message || 'it cannot be loaded'}`));
  }

  /** Nothing is answered any more. */
  private end(reason: HandloomError): void {
    this.ended ??= reason;
    for (const { reject } of this.pending.values()) reject(this.ended);
    this.pending.clear();
    this.worker.terminate();
  }

  private call<T>(method: Method, args: unknown[], onEvent?: (...event: never[]) => void): Promise<T> {
    if (this.ended) return Promise.reject(this.ended);
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
  inspect<T>(name: string, args: object) {
    return this.call<T>('inspect', [name, args]);
  }
  async dispose() {
    try {
      if (!this.ended) await this.call<void>('dispose', []);
    } finally {
      this.end(disposed());
    }
  }
}
