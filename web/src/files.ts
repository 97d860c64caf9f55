// Where a model's files are, as ranges of bytes: behind a URL, in a File, in a folder handle.
import { HandloomError, checkSignal } from './errors.js';

export interface FileRange {
  path: string;
  offset: number;
  bytes: number;
}

/** A range of a file, and how large the whole file is. */
export interface ReadRange {
  bytes: Uint8Array;
  size: number;
}

export interface Files {
  /** What the engine calls the model: a file, or a folder. */
  readonly root: string;
  readonly isFolder: boolean;
  /** The names in the folder; undefined where nobody can list them. */
  list(): Promise<string[] | undefined>;
  /** Before so many bytes are read: what to tell the person of it, if anything. */
  reserve?(bytes: number): Promise<string | undefined>;
  /** From `begin` to before `end`, or to the file's end; undefined if there is no such file. */
  read(path: string, begin: number, end: number, signal?: AbortSignal): Promise<ReadRange | undefined>;
}

const kAttempts = 5;
const kFirstPauseMs = 200;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A range on its way, perhaps over several connections. */
interface Partial {
  path: string;
  begin: number;
  end: number;
  bytes: Uint8Array | undefined; // once the size of the file is known
  received: number;
}

/** Files behind a URL, read with HTTP range requests. */
export class UrlFiles implements Files {
  readonly root: string;
  readonly isFolder: boolean;
  private readonly etags = new Map<string, string>();

  constructor(url: string) {
    this.root = url.replace(/\/+$/, '');
    this.isFolder = !/\.(gguf|safetensors)(\?.*)?$/i.test(url);
  }

  async list(): Promise<undefined> {
    return undefined;
  }

  /** The version of a file that was read, as the server names it. */
  tagOf(path: string): string {
    return this.etags.get(path) ?? '';
  }

  async read(path: string, begin: number, end: number, signal?: AbortSignal) {
    const range: Partial = { path, begin, end, bytes: undefined, received: 0 };
    let before = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.request(range, signal);
      } catch (error) {
        if (range.received > before) attempt = 1; // it goes on, if slowly
        before = range.received;
        checkSignal(signal, path);
        if (error instanceof HandloomError) throw error;
        if (attempt === kAttempts) {
          throw new HandloomError(
            'io',
            `${path}: the connection broke ${kAttempts} times, the last time with '${(error as Error).message}'`,
          );
        }
        await pause(kFirstPauseMs * 2 ** (attempt - 1));
      }
    }
  }

  /** One request for what is missing of a range. */
  private async request(range: Partial, signal?: AbortSignal): Promise<ReadRange | undefined> {
    const { path, begin, end } = range;
    const headers = { Range: `bytes=${begin + range.received}-${end - 1}` };
    const response = await fetch(path, { headers, signal: signal ?? null });
    if (response.status === 404) return undefined;
    const size = this.check(response, path, begin, end);
    const bytes = (range.bytes ??= new Uint8Array(Math.max(0, Math.min(end, size) - begin)));
    const reader = response.body!.getReader();
    while (range.received < bytes.length) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`${range.received} of ${bytes.length} bytes came`);
      const taken = value.subarray(0, bytes.length - range.received);
      bytes.set(taken, range.received);
      range.received += taken.length;
    }
    void reader.cancel().catch(() => undefined); // of a server that sends more than was asked for
    return { bytes, size };
  }

  /** The size of the whole file, if the answer is one that can be used. */
  private check(response: Response, path: string, begin: number, end: number): number {
    if (response.status !== 200 && response.status !== 206) {
      throw new HandloomError('io', `${path}: the server answers ${response.status} ${response.statusText}`);
    }
    if (/^text\/html/i.test(response.headers.get('content-type') ?? '')) {
      void response.body?.cancel();
      throw new HandloomError('bad_format', `${path}: is a web page (HTML), expected a file of a model`);
    }
    const etag = response.headers.get('etag') ?? response.headers.get('last-modified') ?? '';
    const before = this.etags.get(path);
    if (before !== undefined && before !== etag) {
      throw new HandloomError('io', `${path}: changed on the server while it was read; load it again`);
    }
    this.etags.set(path, etag);
    if (response.status === 206) {
      const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
      if (total) return Number(total);
      throw new HandloomError('io', `${path}: the server's Content-Range does not say how large the file is`);
    }
    const length = Number(response.headers.get('content-length') ?? NaN);
    if (begin === 0 && length <= end) return length; // the whole of a small file
    void response.body?.cancel();
    throw new HandloomError(
      'unsupported',
      `${path}: the server sends whole files only, expected one with range requests`,
    );
  }
}

async function slice(file: Blob, begin: number, end: number): Promise<ReadRange> {
  return { bytes: new Uint8Array(await file.slice(begin, end).arrayBuffer()), size: file.size };
}

/** One file that a person chose: a GGUF model. */
export class LocalFile implements Files {
  readonly root: string;
  readonly isFolder = false;

  constructor(private readonly file: File) {
    this.root = file.name;
  }

  async list(): Promise<undefined> {
    return undefined;
  }

  async read(path: string, begin: number, end: number) {
    return path === this.root ? slice(this.file, begin, end) : undefined;
  }
}

/** A folder that a person chose. */
export class LocalFolder implements Files {
  readonly root: string;
  readonly isFolder = true;

  constructor(private readonly folder: FileSystemDirectoryHandle) {
    this.root = folder.name;
  }

  async list(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name] of this.folder.entries()) names.push(name);
    return names;
  }

  async read(path: string, begin: number, end: number) {
    try {
      const handle = await this.folder.getFileHandle(path.slice(this.root.length + 1));
      return await slice(await handle.getFile(), begin, end);
    } catch (error) {
      if ((error as Error).name === 'NotFoundError') return undefined;
      throw new HandloomError('io', `${path}: cannot be read: ${(error as Error).message}`);
    }
  }
}
