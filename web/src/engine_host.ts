// The engine as a model sees it: calls that are awaited, wherever the engine runs.
import { CachedFiles } from './cache.js';
import { Engine } from './engine.js';
import { HandloomError, asHandloomError } from './errors.js';
import { LocalFile, LocalFolder, UrlFiles, type Files } from './files.js';
import { NodeFiles } from './files_node.js';
import { Gpu } from './gpu.js';
import type { GenerateOptions, Generation, LoadOptions, LoadProgress, LoadedModel, MemoryUse } from './types.js';

/** Where a model is: a URL of a file or a folder (under Node a path, too), a file, or a folder that a person chose. */
export type Source = string | File | FileSystemDirectoryHandle;

export interface EngineHost {
  load(
    source: Source,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<LoadedModel>;
  encode(text: string, addSpecials: boolean): Promise<number[]>;
  decode(ids: number[]): Promise<string>;
  openSession(): Promise<number>;
  closeSession(session: number): Promise<void>;
  sessionIds(session: number): Promise<number[]>;
  rewind(session: number, length: number): Promise<void>;
  memoryUse(): Promise<MemoryUse>;
  generate(
    session: number,
    ids: number[],
    options: GenerateOptions,
    onText: (text: string, ids: number[]) => void,
  ): Promise<Generation>;
  cancel(session: number): Promise<void>;
  dispose(): Promise<void>;
}

/** The storage's synchronous half is for workers alone. */
const canCache = () => typeof FileSystemFileHandle !== 'undefined' && 'createSyncAccessHandle' in FileSystemFileHandle.prototype;

async function filesOf(source: Source, cache: boolean): Promise<Files> {
  if (typeof source === 'string') {
    if (!/^(https?|blob):/i.test(source)) return NodeFiles.at(source);
    const files = new UrlFiles(source);
    return cache && canCache() ? new CachedFiles(files) : files;
  }
  if (source instanceof Blob) return new LocalFile(source as File);
  if (source?.kind === 'directory') return new LocalFolder(source);
  throw new HandloomError('invalid_argument', 'loadModel: expected a URL, a File or a folder handle');
}

/** The engine in this very thread: in a worker, or under Node. */
export class LocalHost implements EngineHost {
  private engine: Engine | undefined;

  constructor(
    private readonly wasm: Promise<WebAssembly.Module>,
    private readonly gpu: GPU | undefined,
  ) {}

  private get loaded(): Engine {
    if (!this.engine) throw new HandloomError('invalid_argument', 'model: was disposed');
    return this.engine;
  }

  async load(
    source: Source,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<LoadedModel> {
    const [wasm, gpu] = await Promise.all([this.wasm, Gpu.open(this.gpu)]);
    const engine = await Engine.create(wasm, gpu);
    try {
      const { cache = true, ...engineOptions } = options;
      const loaded = await engine.load(await filesOf(source, cache), engineOptions, onProgress, signal);
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
  async dispose() {
    this.engine?.dispose();
    this.engine = undefined;
  }
}
