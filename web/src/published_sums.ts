// The sums that whoever publishes a model states of its files: the Hub of each large file, MLC of each
// shard in the list of its tensors.
import type { CachedFiles } from './cache.js';
import { md5, sha256, type Sum } from './sums.js';

export interface PublishedSum {
  algorithm: 'sha256' | 'md5';
  /** In lower-case hexadecimal digits. */
  sum: string;
  start(): Sum;
}

const kMlcIndexes = ['tensor-cache.json', 'ndarray-cache.json'];

/** By path, of those files among `paths` that have one. */
export async function publishedSums(
  files: CachedFiles,
  paths: string[],
  signal?: AbortSignal,
): Promise<Map<string, PublishedSum>> {
  const sums = new Map<string, PublishedSum>();
  for (const index of kMlcIndexes.map((name) => `${files.root}/${name}`)) {
    const read = paths.includes(index) && (await files.read(index, 0, Infinity, signal));
    if (!read) continue;
    // The engine has read it, too, and found no mistake.
    const { records } = JSON.parse(new TextDecoder().decode(read.bytes)) as {
      records: { dataPath: string; md5sum?: string }[];
    };
    for (const { dataPath, md5sum } of records) {
      if (md5sum) sums.set(`${files.root}/${dataPath}`, { algorithm: 'md5', sum: md5sum.toLowerCase(), start: md5 });
    }
  }
  for (const path of paths) {
    const sum = files.sha256Of(path);
    if (sum) sums.set(path, { algorithm: 'sha256', sum, start: sha256 });
  }
  return new Map([...sums].filter(([path]) => paths.includes(path)));
}
