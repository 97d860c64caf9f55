// The WebAssembly engine on an open GPU: loading, text and generating, as calls that may be awaited.
// In a page it lives in a worker (worker.ts), under Node in the program itself.
import { HandloomError, checkSignal, disposed, type ErrorCode } from './errors.js';
import type { FileRange, Files, ReadRange } from './files.js';
import type { Gpu } from './gpu.js';
import { hostImports } from './host.js';
import { Memory, type EngineExports } from './memory.js';
import type {
  GenerateOptions,
  Generation,
  LoadOptions,
  LoadProgress,
  LoadedModel,
  MemoryUse,
} from './types.js';

/** Bytes of weights that may be under way at once; the next chunk is fetched whatever its size. */
const kFetchAheadBytes = 8e6;

/** What the engine asks for after config.json, one after the other, and as much of each. */
const kBesideConfig = [
  'generation_config.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'model.safetensors',
  'tokenizer.json',
];

/** A range that must be read before the engine can go on. */
interface Want {
  path: string;
  begin: number;
  end: number;
}

interface Wanted {
  done?: boolean;
  readback?: number;
  ranges?: FileRange[];
}

export class Engine {
  private readonly memory = new Memory();
  private isDisposed = false;

  static async create(wasm: BufferSource | WebAssembly.Module, gpu: Gpu): Promise<Engine> {
    const engine = new Engine(gpu);
    const imports = { ...hostImports(engine.memory), gpu: gpu.imports(engine.memory) };
    const made = await WebAssembly.instantiate(wasm as BufferSource, imports);
    const instance = made instanceof WebAssembly.Instance ? made : made.instance;
    engine.memory.exports = instance.exports as unknown as EngineExports;
    engine.memory.exports._initialize();
    return engine;
  }

  private constructor(private readonly gpu: Gpu) {}

  private call<T>(name: string, args: object = {}): T {
    if (this.isDisposed) throw disposed();
    const text = new TextEncoder().encode(JSON.stringify({ call: name, ...args }));
    const at = this.memory.put(text);
    const { handloom_call, handloom_free } = this.memory.exports;
    const answer = JSON.parse(this.memory.takeBlock(handloom_call(at, text.length))) as {
      ok?: T;
      error?: { code: ErrorCode; message: string };
    };
    handloom_free(at);
    if (answer.error) throw new HandloomError(answer.error.code, answer.error.message);
    return answer.ok as T;
  }

  /** The same with bytes, in the engine's memory. */
  private callWith<T>(name: string, bytes: Uint8Array[], args: object = {}): T {
    const total = bytes.reduce((sum, part) => sum + part.length, 0);
    const at = this.memory.exports.handloom_alloc(Math.max(1, total));
    if (at === 0) throw new HandloomError('out_of_memory', `${name}: ${total} bytes cannot be had`);
    let offset = 0;
    for (const part of bytes) {
      this.memory.bytes(at + offset, part.length).set(part);
      offset += part.length;
    }
    try {
      return this.call(name, { at, nBytes: total, ...args });
    } finally {
      this.memory.exports.handloom_free(at);
    }
  }

  async load(
    files: Files,
    options: LoadOptions,
    verify: boolean,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<LoadedModel> {
    const started = performance.now();
    const tell = (stage: LoadProgress['stage']) => (doneBytes: number, totalBytes: number) =>
      onProgress({ doneBytes, totalBytes, stage });
    files.watch?.(tell('weights'));
    await this.open(files, options, signal);
    await this.upload(files, onProgress, signal);
    if (verify) await files.verify?.(tell('verify'), signal);
    const model = this.call<LoadedModel['model']>('loadFinish');
    return { model, adapter: this.gpu.description, loadMs: performance.now() - started };
  }

  /** All that is read before the weights: asks for more until nothing is missing. */
  private async open(files: Files, options: LoadOptions, signal?: AbortSignal): Promise<void> {
    const { root } = files;
    if (files.isFolder) {
      this.call('addFolder', { path: root, holds: (await files.list()) ?? [] });
    }
    const begun = new Map<string, Promise<ReadRange | undefined>>();
    const read = ({ path, begin, end }: Want) => {
      const key = `${path} ${begin} ${end}`;
      const reading = begun.get(key) ?? files.read(path, begin, end, signal);
      reading.catch(() => undefined); // told when its turn comes
      begun.set(key, reading);
      return reading;
    };
    for (;;) {
      checkSignal(signal, root);
      const { want } = this.call<{ want?: Want } | null>('load', {
        path: root,
        ...options,
      }) ?? {};
      if (!want) return;
      const found = await read(want);
      if (found && want.path === `${root}/config.json`) {
        for (const name of kBesideConfig) void read({ ...want, path: `${root}/${name}` });
      }
      if (found) {
        this.callWith('addFile', [found.bytes], { path: want.path, size: found.size, begin: want.begin });
      } else {
        this.call('addAbsent', { path: want.path });
      }
    }
  }

  private async upload(
    files: Files,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const ahead: { bytes: number; parts: Promise<Uint8Array[]> }[] = [];
    let doneBytes = 0;
    const { totalBytes } = this.call<{ totalBytes: number }>('loadTotal');
    await this.checkMemory(files.root, totalBytes); // before anything of them is fetched
    const notice = await files.reserve?.(totalBytes);
    if (notice) onProgress({ doneBytes, totalBytes, stage: 'weights', notice });
    try {
      for (;;) {
        checkSignal(signal, files.root);
        const wanted = this.call<Wanted>('loadWanted');
        if (wanted.done) return;
        if (!wanted.ranges) {
          if (ahead.length === 0) onProgress({ doneBytes, totalBytes, stage: 'kernels' });
          await this.gpu.completed(wanted.readback!);
          this.call('loadResume');
          continue;
        }
        this.fetchAhead(files, ahead, signal);
        const next = ahead.shift()!;
        this.callWith('loadResume', await next.parts);
        doneBytes += next.bytes;
        onProgress({ doneBytes, totalBytes, stage: 'weights' });
      }
    } finally {
      for (const { parts } of ahead) parts.catch(() => undefined);
    }
  }

  /** All memory is allocated by now, if the GPU has it. */
  private async checkMemory(root: string, totalBytes: number): Promise<void> {
    try {
      await this.gpu.checkRefusals();
    } catch (error) {
      if ((error as HandloomError).code !== 'out_of_memory') throw error;
      throw new HandloomError(
        'out_of_memory',
        `${root}: has ${Math.round(totalBytes / 1e6)} MB of weights, which do not fit the GPU's memory with its context; ` +
          `choose a smaller model or context (${(error as HandloomError).message})`,
      );
    }
  }

  private fetchAhead(
    files: Files,
    ahead: { bytes: number; parts: Promise<Uint8Array[]> }[],
    signal?: AbortSignal,
  ): void {
    let underWay = ahead.reduce((sum, { bytes }) => sum + bytes, 0);
    while (ahead.length === 0 || underWay < kFetchAheadBytes) {
      const { ranges } = this.call<{ ranges: FileRange[] }>('loadAhead', { n: ahead.length });
      if (ranges.length === 0) return;
      const bytes = ranges.reduce((sum, range) => sum + range.bytes, 0);
      const parts = Promise.all(ranges.map((range) => readRange(files, range, signal)));
      parts.catch(() => undefined); // told when its turn comes
      ahead.push({ bytes, parts });
      underWay += bytes;
    }
  }

  encode(text: string, addSpecials: boolean): number[] {
    return this.call<{ ids: number[] }>('encode', { text, addSpecials }).ids;
  }

  decode(ids: number[]): string {
    return this.call<{ text: string }>('decode', { ids }).text;
  }

  openSession(): number {
    return this.call<{ session: number }>('openSession').session;
  }

  closeSession(session: number): void {
    this.call('closeSession', { session });
  }

  sessionIds(session: number): number[] {
    return this.call<{ ids: number[] }>('sessionIds', { session }).ids;
  }

  rewind(session: number, length: number): void {
    this.call('rewind', { session, length });
  }

  memoryUse(): MemoryUse {
    return this.call('memory');
  }

  /** `onText`: each piece of finished text, with the tokens that made it. */
  async generate(
    session: number,
    ids: number[],
    options: GenerateOptions,
    onText: (text: string, ids: number[]) => void,
  ): Promise<Generation> {
    this.call('generate', { session, ids, ...options });
    for (;;) {
      const wanted = this.call<Wanted>('generateWanted', { session });
      if (wanted.done) break;
      await this.gpu.completed(wanted.readback!);
      const said = this.call<{ text: string; ids: number[] }>('generateResume', { session });
      if (said.ids.length > 0) onText(said.text, said.ids);
    }
    return this.call('generateFinish', { session });
  }

  /** The generation ends with its next token. */
  cancel(session: number): void {
    this.call('generateCancel', { session });
  }

  /** A call that a module with more than the runtime has; one that starts a task runs to its end. */
  async inspect<T>(name: string, args: object): Promise<T> {
    const answer = this.call<T>(name, args);
    if (!name.startsWith('start')) return answer;
    for (;;) {
      const wanted = this.call<Wanted>('taskWanted');
      if (wanted.done) return this.call('taskFinish');
      await this.gpu.completed(wanted.readback!);
      this.call('taskResume');
    }
  }

  /** What is under way ends with an error that says so. */
  dispose(): void {
    this.isDisposed = true;
    this.gpu.destroy();
  }
}

async function readRange(files: Files, range: FileRange, signal?: AbortSignal): Promise<Uint8Array> {
  const read = await files.read(range.path, range.offset, range.offset + range.bytes, signal);
  if (read?.bytes.length === range.bytes) return read.bytes;
  throw new HandloomError(
    'bad_format',
    `${range.path}: has ${read ? `${read.bytes.length} of ` : 'none of the '}${range.bytes} bytes at ` +
      `${range.offset} that its header promises; it is cut short`,
  );
}
