// Files on a disk, under Node. Bundlers for a page leave 'node:fs' alone: it is imported when used.
import { HandloomError } from './errors.js';
import type { Files } from './files.js';

const nodeFs = () => import('node:fs/promises' as string) as Promise<NodeFs>;

/** As much of node:fs/promises as is used here. */
interface NodeFs {
  stat(path: string): Promise<{ isDirectory(): boolean; size: number }>;
  readdir(path: string): Promise<string[]>;
  open(path: string): Promise<{
    stat(): Promise<{ size: number }>;
    read(to: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
    close(): Promise<void>;
  }>;
}

/** Whether this is Node, and the path of something there. */
export async function isNodePath(path: string): Promise<boolean> {
  if (globalThis.location || /^(https?|blob):/i.test(path)) return false;
  return (await (await nodeFs()).stat(path).catch(() => undefined)) !== undefined;
}

export class NodeFiles implements Files {
  private constructor(
    readonly root: string,
    readonly isFolder: boolean,
  ) {}

  static async at(path: string): Promise<NodeFiles> {
    const root = path.replace(/(?!^)\/+$/, '');
    const status = await (await nodeFs()).stat(root).catch(() => undefined);
    if (!status) throw new HandloomError('not_found', `${root}: no such file or folder`);
    return new NodeFiles(root, status.isDirectory());
  }

  async list(): Promise<string[]> {
    return (await nodeFs()).readdir(this.root);
  }

  async read(path: string, begin: number, end: number) {
    const file = await (await nodeFs()).open(path).catch(() => undefined);
    if (!file) return undefined;
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - begin));
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, begin + at);
        if (bytesRead === 0) throw new HandloomError('io', `${path}: became shorter while it was read`);
        at += bytesRead;
      }
      return { bytes, size };
    } finally {
      await file.close();
    }
  }
}
