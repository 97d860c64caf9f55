// Files of a URL, kept in the origin's private file system (OPFS) in blocks of 1 MiB, each with a sum.
// A block is there whole or not at all, so that a download goes on where it stopped, and what is
// damaged is fetched anew. A file that is not on the server is remembered, too, and so is what the Hub
// says of a repository: a second load needs no network at all.
//
// A file is two entries of the folder "handloom": KEY.bytes, and KEY.json with what is known of it.
import { HandloomError, checkSignal } from './errors.js';
import type { Files, ReadRange } from './files.js';
import type { Listing } from './hub.js';
import { publishedSums, type PublishedSum } from './published_sums.js';
import type { UrlFiles } from './url_files.js';

const kFolder = 'handloom';
const kBlockBytes = 1 << 20;
/** Of a request: what is lost of it if it is broken off. */
const kMostBlocks = 4;
/** For manifests, and what the storage counts beyond bytes. */
const kSpareBytes = 16e6;

interface Manifest {
  model: string; // the root of the model
  path: string;
  size: number; // -1: there is no such file
  tag: string; // what the server said of its version
  sums: (number | null)[]; // of the blocks that are here
  verified?: string; // the published sum that the whole file was found to have
  listing?: Listing; // of a repository, which is no file
}

const folder = async () =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(kFolder, { create: true });

async function keyOf(path: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(path));
  return Array.from(new Uint8Array(digest, 0, 16), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Tells bytes that were changed or swapped from those that were written. */
function sumOf(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2); // blocks are aligned
  let a = bytes.length, b = 0;
  const add = (value: number) => {
    a = (a + value) | 0;
    b = (Math.imul(b, 31) + a) | 0;
  };
  for (let i = 0; i < words.length; i++) add(words[i]);
  for (let i = words.length * 4; i < bytes.length; i++) add(bytes[i]);
  return (b ^ (a << 16)) >>> 0;
}

async function readManifest(dir: FileSystemDirectoryHandle, key: string): Promise<Manifest | undefined> {
  try {
    const file = await (await dir.getFileHandle(`${key}.json`)).getFile();
    const [line] = (await file.text()).split('\n'); // a tab that was closed may have left more
    return JSON.parse(line) as Manifest;
  } catch {
    return undefined; // none, or one that was cut off: the file is fetched anew
  }
}

/**
 * Handles that are being opened. Chromium forgets to answer if the handle is collected as garbage meanwhile: an await
 * keeps nothing of it, and would never end.
 */
const opening = new Set<FileSystemFileHandle>();

/** For writing, which another tab must not do at the same time. Only in a worker. */
async function openFile(dir: FileSystemDirectoryHandle, name: string): Promise<FileSystemSyncAccessHandle> {
  const handle = await dir.getFileHandle(name, { create: true });
  opening.add(handle);
  try {
    return await handle.createSyncAccessHandle();
  } finally {
    opening.delete(handle);
  }
}

async function writeAt(dir: FileSystemDirectoryHandle, name: string, at: number, bytes: Uint8Array, end?: number) {
  const access = await openFile(dir, name);
  try {
    const written = access.write(bytes, { at });
    if (written !== bytes.length) throw new DOMException('the storage is full', 'QuotaExceededError');
    if (end !== undefined) access.truncate(end);
    access.flush();
  } finally {
    access.close();
  }
}

async function removeFile(dir: FileSystemDirectoryHandle, key: string): Promise<void> {
  await dir.removeEntry(`${key}.json`).catch(() => undefined);
  await dir.removeEntry(`${key}.bytes`).catch(() => undefined);
}

/** Tried out: what browsers say of their quota is not what they grant. */
async function hasRoom(bytes: number): Promise<boolean> {
  if (bytes <= 0) return true;
  const dir = await folder();
  const name = `room.${crypto.randomUUID()}`; // two tabs may try at once
  try {
    const access = await openFile(dir, name);
    access.truncate(bytes + kSpareBytes);
    const granted = access.getSize();
    access.close();
    return granted >= bytes;
  } catch {
    return false;
  } finally {
    await dir.removeEntry(name).catch(() => undefined);
  }
}

const locked = <T>(key: string, action: () => Promise<T>) => navigator.locks.request(`handloom ${key}`, action);

async function writeManifest(dir: FileSystemDirectoryHandle, key: string, manifest: Manifest): Promise<void> {
  const text = new TextEncoder().encode(`${JSON.stringify(manifest)}\n`);
  await writeAt(dir, `${key}.json`, 0, text, text.length);
}

/** One file, as long as a model is being loaded. */
class CachedFile {
  private readonly fetching = new Map<number, Promise<Uint8Array>>(); // by block

  private constructor(
    private readonly dir: FileSystemDirectoryHandle,
    private readonly key: string,
    private manifest: Manifest,
  ) {}

  static async open(model: string, path: string): Promise<CachedFile> {
    const dir = await folder();
    const key = await keyOf(path);
    const manifest = await readManifest(dir, key);
    return new CachedFile(dir, key, manifest ?? { model, path, size: 0, tag: '', sums: [] });
  }

  get isKnown(): boolean {
    return this.manifest.size !== 0;
  }
  get isAbsent(): boolean {
    return this.manifest.size < 0;
  }
  get size(): number {
    return this.manifest.size;
  }
  get verified(): string | undefined {
    return this.manifest.verified;
  }

  isOf(tag: string): boolean {
    return this.manifest.tag === tag;
  }

  async remember(size: number, tag: string): Promise<void> {
    if (this.manifest.size === size && this.manifest.tag === tag) return;
    await locked(this.key, async () => {
      const there = await readManifest(this.dir, this.key); // of another tab, perhaps
      const isSame = there?.size === size && there.tag === tag;
      const { model, path } = this.manifest;
      this.manifest = isSame ? there : { model, path, size, tag, sums: [] };
      if (!isSame) await this.save();
    });
  }

  async rememberVerified(sum: string): Promise<void> {
    this.manifest.verified = sum;
    await locked(this.key, () => this.save());
  }

  async forget(): Promise<void> {
    await locked(this.key, () => removeFile(this.dir, this.key));
    this.manifest = { ...this.manifest, size: 0, tag: '', sums: [] };
  }

  /** Bytes from here, or undefined if the block is not here or not what was written. */
  async readBlock(block: number): Promise<Uint8Array | undefined> {
    const sum = this.manifest.sums[block];
    if (sum === null || sum === undefined) return undefined;
    try {
      const file = await (await this.dir.getFileHandle(`${this.key}.bytes`)).getFile();
      const begin = block * kBlockBytes;
      const bytes = new Uint8Array(await file.slice(begin, begin + kBlockBytes).arrayBuffer());
      if (sumOf(bytes) === sum) return bytes;
    } catch {
      // Somebody emptied the storage meanwhile.
    }
    this.manifest.sums[block] = null;
    return undefined;
  }

  /** Blocks from `first` on. What cannot be kept is no error: it is fetched again the next time. */
  async keep(first: number, bytes: Uint8Array): Promise<void> {
    const sums: [number, number][] = [];
    for (let at = 0, block = first; at < bytes.length; at += kBlockBytes, block++) {
      sums.push([block, sumOf(bytes.subarray(at, at + kBlockBytes))]);
    }
    await locked(this.key, async () => {
      // Another tab may have kept other blocks of the same version.
      const there = await readManifest(this.dir, this.key);
      if (there?.tag === this.manifest.tag) {
        there.sums.forEach((sum, block) => (this.manifest.sums[block] ??= sum));
      }
      await writeAt(this.dir, `${this.key}.bytes`, first * kBlockBytes, bytes);
      for (const [block, sum] of sums) this.manifest.sums[block] = sum;
      await this.save();
    });
  }

  private save(): Promise<void> {
    return writeManifest(this.dir, this.key, this.manifest);
  }

  /** The blocks from `first` to before `end`, each fetched once however many ask for it. */
  async blocks(first: number, end: number, fetch: (first: number, end: number) => Promise<Uint8Array>) {
    const all: Promise<Uint8Array>[] = [];
    const here = await Promise.all(
      Array.from({ length: end - first }, (_, i) => this.fetching.get(first + i) ?? this.readBlock(first + i)),
    );
    for (let block = first; block < end; ) {
      const held = here[block - first] ?? this.fetching.get(block);
      if (held) {
        all.push(Promise.resolve(held));
        block++;
        continue;
      }
      const begin = block;
      const most = Math.min(end, begin + kMostBlocks);
      while (block < most && !here[block - first] && !this.fetching.has(block)) block++;
      const fetched = fetch(begin, block);
      for (let i = begin; i < block; i++) {
        const at = (i - begin) * kBlockBytes;
        const one = fetched.then((bytes) => bytes.subarray(at, at + kBlockBytes));
        one.catch(() => undefined);
        this.fetching.set(i, one);
        all.push(one);
        const forget = () => this.fetching.delete(i);
        one.then(forget, forget);
      }
    }
    return Promise.all(all);
  }
}

export class CachedFiles implements Files {
  private readonly files = new Map<string, Promise<CachedFile>>();
  private readonly filling = new Map<string, Promise<void>>(); // from servers without ranges
  private keeps = true;
  private onFilled: (done: number, total: number) => void = () => undefined;

  constructor(private readonly inner: UrlFiles) {}

  get root() {
    return this.inner.root;
  }
  get isFolder() {
    return this.inner.isFolder;
  }
  list() {
    return this.inner.list();
  }
  sha256Of(path: string) {
    return this.inner.published(path)?.sha256;
  }

  watch(onBytes: (done: number, total: number) => void) {
    this.onFilled = onBytes;
  }

  /** What to say before the download, if the storage cannot keep so many bytes. */
  async reserve(bytes: number): Promise<string | undefined> {
    const kept = (await listCached()).find(({ model }) => model === this.root);
    if (await hasRoom(bytes - (kept?.bytes ?? 0))) return undefined;
    this.keeps = false;
    const megabytes = Math.round(bytes / 1e6);
    return `The browser's storage has no room for the ${megabytes} MB of this model: it will be fetched again the next time.`;
  }

  async read(path: string, begin: number, end: number, signal?: AbortSignal): Promise<ReadRange | undefined> {
    const file = await this.open(path);
    if (file.isAbsent) return undefined;
    if (!file.isKnown) {
      const first = await this.fetch(file, path, begin, end, signal);
      if (!first) return undefined;
      end = Math.min(end, first.size);
      if (begin % kBlockBytes !== 0 || first.bytes.length < Math.min(kBlockBytes, first.size - begin)) return first;
      await this.keep(file, begin / kBlockBytes, first.bytes);
      return first;
    }
    const { size } = file;
    end = Math.min(end, size);
    if (begin >= end) return { bytes: new Uint8Array(0), size };
    const firstBlock = Math.floor(begin / kBlockBytes), endBlock = Math.ceil(end / kBlockBytes);
    const blocks = await file.blocks(firstBlock, endBlock, async (from, to) => {
      const read = await this.fetch(file, path, from * kBlockBytes, Math.min(to * kBlockBytes, size), signal);
      if (!read) throw new HandloomError('not_found', `${path}: is no longer on the server`);
      await this.keep(file, from, read.bytes);
      return read.bytes;
    });
    const bytes = new Uint8Array(end - begin);
    blocks.forEach((block, i) => {
      const at = (firstBlock + i) * kBlockBytes - begin;
      const from = Math.max(0, -at), to = Math.min(block.length, end - begin - at);
      bytes.set(block.subarray(from, to), Math.max(0, at));
    });
    return { bytes, size };
  }

  /** Each file that has a published sum, completed and compared with it. */
  async verify(onBytes: (done: number, total: number) => void, signal?: AbortSignal): Promise<void> {
    if (!this.keeps) return; // it would be fetched twice
    const files: { path: string; file: CachedFile; published: PublishedSum }[] = [];
    for (const [path, published] of await publishedSums(this, [...this.files.keys()], signal)) {
      const file = await this.open(path);
      if (file.size > 0 && file.verified !== published.sum) files.push({ path, file, published });
    }
    const total = files.reduce((sum, { file }) => sum + file.size, 0);
    let done = 0;
    for (const { path, file, published } of files) {
      const sum = published.start();
      for (let at = 0; at < file.size; at += kBlockBytes) {
        checkSignal(signal, path);
        const { bytes } = (await this.read(path, at, at + kBlockBytes, signal))!;
        sum.add(bytes);
        onBytes((done += bytes.length), total);
      }
      const found = sum.digest();
      if (found !== published.sum) {
        await file.forget();
        throw new HandloomError(
          'bad_format',
          `${path}: has ${published.algorithm} ${found}, expected ${published.sum}; it was deleted here, load it again`,
        );
      }
      await file.rememberVerified(found).catch(() => undefined);
    }
  }

  private open(path: string): Promise<CachedFile> {
    let opening = this.files.get(path);
    if (!opening) {
      opening = CachedFile.open(this.root, path);
      this.files.set(path, opening);
    }
    return opening;
  }

  /** A range that is not here, from a server that knows ranges or from what the whole file leaves here. */
  private async fetch(file: CachedFile, path: string, begin: number, end: number, signal?: AbortSignal) {
    if (!this.inner.sendsWholeOnly(path)) {
      try {
        return await this.fetchRange(file, path, begin, end, signal);
      } catch (error) {
        if (!this.inner.sendsWholeOnly(path) || !this.keeps) throw error;
      }
    }
    let filling = this.filling.get(path);
    if (!filling) {
      filling = this.fill(file, path, signal);
      this.filling.set(path, filling);
    }
    await filling;
    return this.read(path, begin, end, signal);
  }

  private async fill(file: CachedFile, path: string, signal?: AbortSignal): Promise<void> {
    const expectSize = async (size: number) => {
      if (!(await hasRoom(size))) {
        throw new HandloomError(
          'unsupported',
          `${path}: the server sends whole files only, and the browser's storage has no room for its ${size} bytes`,
        );
      }
      await file.remember(size, this.inner.tagOf(path));
    };
    let block = 0, held = 0, done = 0;
    const bytes = new Uint8Array(kBlockBytes);
    for await (let chunk of this.inner.stream(path, expectSize, signal)) {
      this.onFilled((done += chunk.length), file.size);
      while (chunk.length > 0) {
        const taken = chunk.subarray(0, kBlockBytes - held);
        bytes.set(taken, held);
        held += taken.length;
        chunk = chunk.subarray(taken.length);
        if (held < kBlockBytes) continue;
        await file.keep(block++, bytes);
        held = 0;
      }
    }
    if (held > 0) await file.keep(block, bytes.subarray(0, held));
    if (done !== file.size) throw new HandloomError('io', `${path}: ${done} of ${file.size} bytes came`);
  }

  private async fetchRange(file: CachedFile, path: string, begin: number, end: number, signal?: AbortSignal) {
    const read = await this.inner.read(path, begin, end, signal);
    const tag = this.inner.tagOf(path);
    const changed = file.isKnown && (!read || read.size !== file.size || !file.isOf(tag));
    await file.remember(read ? read.size : -1, tag).catch(() => (this.keeps = false));
    if (changed) {
      throw new HandloomError('io', `${path}: changed on the server since a part of it was fetched; load it again`);
    }
    return read;
  }

  private async keep(file: CachedFile, first: number, bytes: Uint8Array): Promise<void> {
    if (!this.keeps) return;
    // Another tab writes, or the storage is full: the model loads all the same.
    await file.keep(first, bytes).catch(() => (this.keeps = false));
  }
}

export interface CachedModel {
  model: string;
  /** Of the blocks that are here. */
  bytes: number;
  complete: boolean;
}

/** What is kept, by model. */
export async function listCached(): Promise<CachedModel[]> {
  const models = new Map<string, CachedModel>();
  const dir = await folder();
  for await (const [name] of dir.entries()) {
    if (!name.endsWith('.json')) continue;
    const manifest = await readManifest(dir, name.slice(0, -5));
    if (!manifest || manifest.size < 0) continue;
    const one = models.get(manifest.model) ?? { model: manifest.model, bytes: 0, complete: true };
    const n = Math.ceil(manifest.size / kBlockBytes);
    for (let block = 0; block < n; block++) {
      const here = manifest.sums[block] !== null && manifest.sums[block] !== undefined;
      if (here) one.bytes += Math.min(kBlockBytes, manifest.size - block * kBlockBytes);
      else one.complete = false;
    }
    models.set(manifest.model, one);
  }
  return [...models.values()];
}

/** Forgets a model; all of them, if none is named. */
export async function deleteCached(model?: string): Promise<void> {
  const dir = await folder();
  const names: string[] = [];
  for await (const [name] of dir.entries()) names.push(name);
  for (const name of names.filter((n) => n.endsWith('.json'))) {
    const key = name.slice(0, -5);
    if (model !== undefined && (await readManifest(dir, key))?.model !== model) continue;
    await removeFile(dir, key);
  }
}

/** What the Hub said of a source of this name, when it was loaded first. */
export async function rememberedListing(source: string): Promise<Listing | undefined> {
  return (await readManifest(await folder(), await keyOf(source)))?.listing;
}

/** `model`: the one with which it is forgotten. */
export async function rememberListing(source: string, model: string, listing: Listing): Promise<void> {
  const manifest = { model, path: source, size: -1, tag: '', sums: [], listing };
  // Another tab does the same, or the storage is full: it is asked for again.
  await writeManifest(await folder(), await keyOf(source), manifest).catch(() => undefined);
}
