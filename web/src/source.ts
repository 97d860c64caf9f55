// From what loadModel() is given to the files that it stands for.
import { CachedFiles, rememberListing, rememberedListing } from './cache.js';
import { HandloomError } from './errors.js';
import type { Files } from './files.js';
import { NodeFiles, isNodePath } from './files_node.js';
import { listRepository, parseHubName, placeInHub, type HubName, type HubOptions } from './hub.js';
import { LocalFile, LocalFiles, LocalFolder } from './local_files.js';
import { UrlFiles, placeOf, type Place } from './url_files.js';

/**
 * Where a model is: a repository of the Hub ("owner/name", "owner/name:file.gguf"), a URL of a file or
 * a folder, a file or several, or a folder that a person chose; under Node a path, too.
 */
export type Source = string | File | File[] | FileSystemDirectoryHandle;

export interface SourceOptions extends HubOptions {
  cache: boolean;
}

/** The storage's synchronous half is for workers alone. */
const canCache = () =>
  typeof FileSystemFileHandle !== 'undefined' && 'createSyncAccessHandle' in FileSystemFileHandle.prototype;

/** A page's own relative URL as an absolute one, for a worker would resolve it against itself. */
export function resolveSource(source: Source, { hubUrl }: HubOptions): Source {
  if (typeof source !== 'string' || !globalThis.location || parseHubName(source, hubUrl)) return source;
  return new URL(source, globalThis.location.href).href;
}

async function placeOfHub(name: HubName, source: string, options: SourceOptions, signal?: AbortSignal): Promise<Place> {
  const keeps = options.cache && canCache();
  const key = `${options.hubUrl ?? ''} ${source}`;
  const kept = keeps ? await rememberedListing(key) : undefined;
  const listing = kept ?? (await listRepository(name, options, signal));
  const place = placeInHub(name, listing, options);
  if (keeps && !kept) await rememberListing(key, place.root, listing);
  return place;
}

export async function openSource(source: Source, options: SourceOptions, signal?: AbortSignal): Promise<Files> {
  if (typeof source === 'string') {
    if (await isNodePath(source)) return NodeFiles.at(source);
    const name = parseHubName(source, options.hubUrl);
    if (!name && !/^(https?|blob):/i.test(source)) {
      if (!globalThis.location) return NodeFiles.at(source); // which says that it is none
      throw new HandloomError('invalid_argument', `loadModel: '${source}' is no URL of http, https or blob`);
    }
    const place = name ? await placeOfHub(name, source, options, signal) : placeOf(source);
    const files = new UrlFiles(place);
    return options.cache && canCache() ? new CachedFiles(files) : files;
  }
  if (source instanceof Blob) return new LocalFile(source as File);
  if (Array.isArray(source) && source.length > 0 && source.every((file) => file instanceof Blob)) {
    return new LocalFiles(source);
  }
  if (!Array.isArray(source) && source?.kind === 'directory') return new LocalFolder(source);
  throw new HandloomError(
    'invalid_argument',
    'loadModel: expected a repository of the Hub, a URL, a File, several, or a folder handle',
  );
}
