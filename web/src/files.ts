// What the engine reads a model from: ranges of files, wherever they are.

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
  /** `onBytes`: told how much of a file has come, where it must come whole before it can be read. */
  watch?(onBytes: (done: number, total: number) => void): void;
  /** Before so many bytes are read: what to tell the person of it, if anything. */
  reserve?(bytes: number): Promise<string | undefined>;
  /** From `begin` to before `end`, or to the file's end; undefined if there is no such file. */
  read(path: string, begin: number, end: number, signal?: AbortSignal): Promise<ReadRange | undefined>;
  /**
   * When all has been read: compares whole files with the sums that were published of them. Error:
   * bad_format. `onBytes`: how many of how many bytes were compared.
   */
  verify?(onBytes: (done: number, total: number) => void, signal?: AbortSignal): Promise<void>;
}

/** A GGUF file, by its name: one that holds a model, or the first part of one. */
export function isModelGguf(name: string): boolean {
  const part = /-(\d{5})-of-\d{5}\.gguf$/i.exec(name);
  return /\.gguf$/i.test(name) && (!part || Number(part[1]) === 1);
}
