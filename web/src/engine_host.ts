// The engine as a model sees it: calls that are awaited, wherever the engine runs.
import type { Source } from './source.js';
import type { GenerateOptions, Generation, LoadOptions, LoadProgress, LoadedModel, MemoryUse } from './types.js';

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
  /** For a module that has more than the runtime; what needs no model works without one. */
  inspect<T>(name: string, args: object): Promise<T>;
  dispose(): Promise<void>;
}
