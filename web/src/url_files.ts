// Files behind a URL, read with HTTP range requests: taken up where a connection broke, and refused
// where the server sends something else than the file that was asked for.
import { HandloomError, checkSignal } from './errors.js';
import type { Files, ReadRange } from './files.js';

/** What is known of a file before it is read. */
export interface Published {
  size: number;
  /** In hexadecimal digits. */
  sha256?: string;
}

/** Where a model's files are. */
export interface Place {
  /** The model's name, and how the paths of its files begin. */
  root: string;
  isFolder: boolean;
  urlOf(path: string): string;
  headers?: Record<string, string>;
  /** Of every file by its path, where the server tells; there are no others. */
  published?: Map<string, Published>;
}

/** `url`: of a file or a folder. What follows a "?" belongs to every request, not to the names. */
export function placeOf(url: string): Place {
  const { origin, pathname, search } = new URL(url);
  if (url.startsWith('blob:')) return { root: url, isFolder: false, urlOf: (path) => path };
  // A .safetensors file stands for its folder, and for all that belongs to the model there.
  const root = (origin + pathname).replace(/\/([^/]*\.safetensors)?\/*$/i, '');
  return { root, isFolder: !/\.gguf$/i.test(root), urlOf: (path) => path + search };
}

const kAttempts = 5;
const kFirstPauseMs = 200;
/** Without a byte, after which a connection counts as broken. */
const kSilenceMs = 30_000;
/** What a server may say that another attempt can change. */
const kPassing = [408, 425, 429, 500, 502, 503, 504];

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Why the browser gives no answer at all, where that can be guessed. */
function hint(url: string): string {
  const page = globalThis.location?.origin;
  if (!page || url.startsWith(page)) return '';
  return '; is the server there, and does it allow other pages to read from it (CORS)?';
}

/** A range on its way, perhaps over several connections. */
interface Partial {
  path: string;
  begin: number;
  end: number;
  bytes: Uint8Array | undefined; // once the size of the file is known
  received: number;
}

/** One request, given up when the signal says so or nothing comes for too long. */
class Exchange {
  private readonly control = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly abort = () => this.control.abort();

  constructor(
    private readonly signal: AbortSignal | undefined,
    private readonly silenceMs: number,
  ) {
    if (signal?.aborted) this.abort();
    signal?.addEventListener('abort', this.abort);
  }

  private async listen<T>(promise: Promise<T>): Promise<T> {
    let wasSilent = false;
    this.timer = setTimeout(() => {
      wasSilent = true;
      this.abort();
    }, this.silenceMs);
    try {
      return await promise;
    } catch (error) {
      throw wasSilent ? new Error(`nothing came for ${this.silenceMs / 1000} s`) : error;
    } finally {
      clearTimeout(this.timer);
    }
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    // What is kept is kept by cache.ts, not a second time by the browser.
    return this.listen(fetch(url, { ...init, cache: 'no-store', signal: this.control.signal }));
  }

  async *chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await this.listen(reader.read());
      if (done) return;
      yield value;
    }
  }

  /** Also ends what the server still sends. */
  close(): void {
    this.signal?.removeEventListener('abort', this.abort);
    this.abort();
  }
}

export class UrlFiles implements Files {
  private readonly tags = new Map<string, string>();
  private readonly wholeOnly = new Set<string>();

  constructor(
    private readonly place: Place,
    private readonly silenceMs = kSilenceMs,
  ) {}

  get root() {
    return this.place.root;
  }
  get isFolder() {
    return this.place.isFolder;
  }

  async list(): Promise<string[] | undefined> {
    const { root, published } = this.place;
    if (!published) return undefined;
    const names = [...published.keys()].map((path) => path.slice(root.length + 1));
    return names.filter((name) => !name.includes('/'));
  }

  published(path: string): Published | undefined {
    return this.place.published?.get(path);
  }

  /** The version of a file that was read, as the server names it. */
  tagOf(path: string): string {
    return this.tags.get(path) ?? '';
  }

  /** Whether the server was found to know no ranges of this file: then only stream() can read it. */
  sendsWholeOnly(path: string): boolean {
    return this.wholeOnly.has(path);
  }

  async read(path: string, begin: number, end: number, signal?: AbortSignal): Promise<ReadRange | undefined> {
    if (this.place.published && !this.published(path)) return undefined;
    const range: Partial = { path, begin, end, bytes: undefined, received: 0 };
    let before = 0;
    for (let attempt = 1; ; attempt++) {
      const exchange = new Exchange(signal, this.silenceMs);
      try {
        return await this.request(range, exchange);
      } catch (error) {
        if (range.received > before) attempt = 1; // it goes on, if slowly
        before = range.received;
        checkSignal(signal, path);
        if (error instanceof HandloomError) throw error;
        if (attempt === kAttempts) throw this.failed(path, error as Error);
        await pause(kFirstPauseMs * 2 ** (attempt - 1));
      } finally {
        exchange.close();
      }
    }
  }

  /** The whole file from its first byte, in one go; `onSize` is told its size before. */
  async *stream(path: string, onSize: (size: number) => Promise<void>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const exchange = new Exchange(signal, this.silenceMs);
    try {
      const response = await exchange.fetch(this.place.urlOf(path), { headers: this.place.headers });
      this.check(response, path);
      const length = response.headers.get('content-length');
      if (length === null) throw new HandloomError('io', `${path}: the server does not say how large the file is`);
      this.checkSize(path, Number(length));
      await onSize(Number(length));
      yield* exchange.chunks(response.body!);
    } catch (error) {
      checkSignal(signal, path);
      throw error instanceof HandloomError ? error : this.failed(path, error as Error);
    } finally {
      exchange.close();
    }
  }

  private failed(path: string, { message }: Error): HandloomError {
    const reason = message.includes('fetch') ? `${message}${hint(this.place.urlOf(path))}` : message;
    return new HandloomError('io', `${path}: cannot be fetched; the last attempt ended with: ${reason}`);
  }

  /** One request for what is missing of a range. */
  private async request(range: Partial, exchange: Exchange): Promise<ReadRange | undefined> {
    const { path, begin, end } = range;
    const from = begin + range.received;
    const headers = { ...this.place.headers, Range: `bytes=${from}-${end - 1}` };
    const response = await exchange.fetch(this.place.urlOf(path), { headers });
    if (response.status === 404) return undefined;
    if (response.status === 416 && from === 0) return { bytes: new Uint8Array(0), size: 0 };
    this.check(response, path);
    const size =
      response.status === 206
        ? await this.sizeInAnswer(response, path, from, exchange)
        : this.sizeOfWhole(response, path, from, end);
    this.checkSize(path, size);
    const bytes = (range.bytes ??= new Uint8Array(Math.max(0, Math.min(end, size) - begin)));
    for await (const chunk of exchange.chunks(response.body!)) {
      const taken = chunk.subarray(0, bytes.length - range.received);
      bytes.set(taken, range.received);
      range.received += taken.length;
      if (taken.length < chunk.length) break; // some servers send more than was asked for
    }
    if (range.received < bytes.length) throw new Error(`${range.received} of ${bytes.length} bytes came`);
    return { bytes, size };
  }

  /** That the answer is (a part of) a file, and of the same version as before. */
  private check(response: Response, path: string): void {
    const { status, statusText } = response;
    if (kPassing.includes(status)) throw new Error(`the server answers ${status} ${statusText}`);
    if (status === 401 || status === 403) {
      throw new HandloomError('io', `${path}: the server answers ${status}, it is not for everybody to read`);
    }
    if (status !== 200 && status !== 206) {
      throw new HandloomError('io', `${path}: the server answers ${status} ${statusText}`.trim());
    }
    if (/^text\/html/i.test(response.headers.get('content-type') ?? '')) {
      throw new HandloomError('bad_format', `${path}: is a web page (HTML), expected a file of a model`);
    }
    const tag = response.headers.get('etag') ?? response.headers.get('last-modified') ?? '';
    const before = this.tags.get(path);
    if (before !== undefined && before !== tag) {
      throw new HandloomError('io', `${path}: changed on the server while it was read; load it again`);
    }
    this.tags.set(path, tag);
  }

  private async sizeInAnswer(response: Response, path: string, from: number, exchange: Exchange): Promise<number> {
    const given = response.headers.get('content-range');
    const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(given ?? '');
    if (match && Number(match[1]) === from) return Number(match[2]);
    if (given !== null) {
      throw new HandloomError('io', `${path}: the server sends '${given}', expected bytes from ${from} on`);
    }
    // A server of another origin may hide this header. The length of the whole is never hidden.
    const head = await exchange.fetch(this.place.urlOf(path), { method: 'HEAD', headers: this.place.headers });
    const length = head.headers.get('content-length');
    if (head.ok && length !== null) return Number(length);
    throw new HandloomError('io', `${path}: the server does not say how large the file is`);
  }

  private sizeOfWhole(response: Response, path: string, from: number, end: number): number {
    const length = Number(response.headers.get('content-length') ?? NaN);
    if (from === 0 && length <= end) return length;
    this.wholeOnly.add(path);
    throw new HandloomError(
      'unsupported',
      `${path}: the server sends whole files only, expected one with range requests, or storage to keep the file`,
    );
  }

  private checkSize(path: string, size: number): void {
    const expected = this.published(path)?.size ?? size;
    if (size === expected) return;
    throw new HandloomError('bad_format', `${path}: is ${size} bytes, expected ${expected} as its list says`);
  }
}
