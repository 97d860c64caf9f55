// Files of a URL, kept in the origin's private file system (OPFS) in blocks of 1 MiB, each with a sum.
// A block is there whole or not at all, so that a download goes on where it stopped, and what is
// damaged is fetched anew. A file that is not on the server is remembered, too: a second load needs
// no network at all.
//
// A file is two entries of the folder "handloom": KEY.bytes, and KEY.json with what is known of it.
import { HandloomError } from './errors.js';
import type { Files, ReadRange, UrlFiles } from './files.js';

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
    return JSON.parse(await file.text()) as Manifest;
  } catch {
    return undefined; // none, or one that was cut off: the file is fetched anew
  }
}

/** Writes at once what another tab must not write at the same time. Only in a worker. */
async function writeAt(dir: FileSystemDirectoryHandle, name: string, at: number, bytes: Uint8Array, end?: number) {
  const handle = await dir.getFileHandle(name, { create: true });
  const access = await handle.createSyncAccessHandle();
  try {
    const written = access.write(bytes, { at });
    if (written !== bytes.length) throw new DOMException('the storage is full', 'QuotaExceededError');
    if (end !== undefined) access.truncate(end);
    access.flush();
  } finally {
    access.close();
  }
}

/** Tried out: what browsers say of their quota is not what they grant. */
async function hasRoom(bytes: number): Promise<boolean> {
  if (bytes <= 0) return true;
  const dir = await folder();
  const name = `room.${crypto.randomUUID()}`; // two tabs may try at once
  try {
    const access = await (await dir.getFileHandle(name, { create: true })).createSyncAccessHandle();
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

  isOf(tag: string): boolean {
    return this.manifest.tag === tag;
  }

  async remember(size: number, tag: string): Promise<void> {
    if (this.manifest.size === size && this.manifest.tag === tag) return;
    this.manifest = { ...this.manifest, size, tag, sums: [] };
    await this.save();
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
    await navigator.locks.request(`handloom ${this.key}`, async () => {
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

  private async save(): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(this.manifest));
    await writeAt(this.dir, `${this.key}.json`, 0, text, text.length);
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
  private keeps = true;

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

  /** What to say before the download, if the storage cannot keep so many bytes. */
  async reserve(bytes: number): Promise<string | undefined> {
    const kept = (await listCached()).find(({ model }) => model === this.root);
    if (await hasRoom(bytes - (kept?.bytes ?? 0))) return undefined;
    this.keeps = false;
    const megabytes = Math.round(bytes / 1e6);
    return `The browser's storage has no room for the ${megabytes} MB of this model: it will be fetched again the next time.`;
  }

  async read(path: string, begin: number, end: number, signal?: AbortSignal): Promise<ReadRange | undefined> {
    let opening = this.files.get(path);
    if (!opening) {
      opening = CachedFile.open(this.root, path);
      this.files.set(path, opening);
    }
    const file = await opening;
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

  private async fetch(file: CachedFile, path: string, begin: number, end: number, signal?: AbortSignal) {
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
    await dir.removeEntry(name);
    await dir.removeEntry(`${key}.bytes`).catch(() => undefined);
  }
}
