// The engine in this very thread: in a worker, or under Node.
import { Engine } from './engine.js';
import type { EngineHost } from './engine_host.js';
import { asHandloomError, disposed } from './errors.js';
import { Gpu } from './gpu.js';
import { openSource, type Source } from './source.js';
import type { GenerateOptions, LoadOptions, LoadProgress, LoadedModel } from './types.js';

export class LocalHost implements EngineHost {
  private engine: Engine | undefined;

  constructor(
    private readonly wasm: Promise<WebAssembly.Module>,
    private readonly gpu: GPU | undefined,
  ) {}

  private get loaded(): Engine {
    if (!this.engine) throw disposed();
    return this.engine;
  }

  private async start(): Promise<Engine> {
    const [wasm, gpu] = await Promise.all([this.wasm, Gpu.open(this.gpu)]);
    return Engine.create(wasm, gpu);
  }

  async load(
    source: Source,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<LoadedModel> {
    const { cache = true, verify = true, hubUrl, token, ...engineOptions } = options;
    const engine = await this.start();
    try {
      const files = await openSource(source, { cache, hubUrl, token }, signal);
      const loaded = await engine.load(files, engineOptions, verify, onProgress, signal);
      this.engine = engine;
      return loaded;
    } catch (error) {
      engine.dispose();
      throw asHandloomError(error, 'loadModel');
    }
  }

  async encode(text: string, addSpecials: boolean) {
    return this.loaded.encode(text, addSpecials);
  }
  async decode(ids: number[]) {
    return this.loaded.decode(ids);
  }
  async openSession() {
    return this.loaded.openSession();
  }
  async closeSession(session: number) {
    this.engine?.closeSession(session);
  }
  async sessionIds(session: number) {
    return this.loaded.sessionIds(session);
  }
  async rewind(session: number, length: number) {
    this.loaded.rewind(session, length);
  }
  async memoryUse() {
    return this.loaded.memoryUse();
  }
  generate(
    session: number,
    ids: number[],
    options: GenerateOptions,
    onText: (text: string, ids: number[]) => void,
  ) {
    return this.loaded.generate(session, ids, options, onText);
  }
  async cancel(session: number) {
    this.engine?.cancel(session);
  }
  async inspect<T>(name: string, args: object) {
    this.engine ??= await this.start();
    return this.engine.inspect<T>(name, args);
  }
  async dispose() {
    this.engine?.dispose();
    this.engine = undefined;
  }
}
