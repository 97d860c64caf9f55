// Files that a person chose: one, several, or a folder.
import { HandloomError } from './errors.js';
import type { Files, ReadRange } from './files.js';

async function slice(file: Blob, begin: number, end: number): Promise<ReadRange> {
  return { bytes: new Uint8Array(await file.slice(begin, end).arrayBuffer()), size: file.size };
}

/** One file: a GGUF model. */
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

/** Several files, as if they lay in one folder: a GGUF model in parts, or all that a folder holds. */
export class LocalFiles implements Files {
  readonly root: string;
  readonly isFolder = true;
  private readonly files: Map<string, File>; // by path below the root

  /** `files`: more than none. Of a folder's files (webkitdirectory) each knows its path from there. */
  constructor(files: File[]) {
    const [folder] = (files[0].webkitRelativePath ?? '').split('/');
    this.root = folder || 'files';
    this.files = new Map(
      files.map((file) => [file.webkitRelativePath?.slice(folder.length + 1) || file.name, file]),
    );
  }

  async list(): Promise<string[]> {
    return [...this.files.keys()].filter((path) => !path.includes('/'));
  }

  async read(path: string, begin: number, end: number) {
    const file = this.files.get(path.slice(this.root.length + 1));
    return file && slice(file, begin, end);
  }
}

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
    const folders = path.slice(this.root.length + 1).split('/');
    const name = folders.pop()!;
    try {
      let folder = this.folder;
      for (const inner of folders) folder = await folder.getDirectoryHandle(inner);
      return await slice(await (await folder.getFileHandle(name)).getFile(), begin, end);
    } catch (error) {
      if ((error as Error).name === 'NotFoundError') return undefined;
      throw new HandloomError('io', `${path}: cannot be read: ${(error as Error).message}`);
    }
  }
}
