// Repositories of the Hugging Face Hub, or of a server that answers as it does: from the name of one
// to the place of a model's files, with the sizes and sums that the Hub publishes of them.
import { HandloomError } from './errors.js';
import { isModelGguf } from './files.js';
import type { Place, Published } from './url_files.js';

export interface HubOptions {
  /** https://huggingface.co unless said otherwise. */
  hubUrl?: string;
  /** Of a person who may read what is not for everybody. */
  token?: string;
}

/** "owner/name", then perhaps "@revision", then perhaps ":" and a file, or a part of its name. */
export interface HubName {
  repository: string;
  revision: string;
  file: string; // '' if none is named
}

/** What the Hub says of a repository, as far as it matters here. */
export interface Listing {
  commit: string;
  files: ({ path: string } & Published)[];
}

const kHubUrl = 'https://huggingface.co';
/** Names of models in a message; a repository may hold dozens. */
const kMostNamed = 12;

/** The name in "owner/name..." or in the address of one of the Hub's pages; undefined if it is none. */
export function parseHubName(source: string, hubUrl = kHubUrl): HubName | undefined {
  const name = /^([\w.-]+\/[\w.-]+)(?:@([^:\s]+))?(?::(\S+))?$/.exec(source);
  if (name && !/^\.\.?\//.test(source)) {
    return { repository: name[1], revision: name[2] ?? 'main', file: name[3] ?? '' };
  }
  if (!source.startsWith(`${hubUrl}/`)) return undefined;
  const path = source.slice(hubUrl.length + 1).replace(/[?#].*$/, '');
  const page = /^([^/]+\/[^/]+)(?:\/(?:resolve|blob|tree)\/([^/]+)(?:\/(.+))?)?\/?$/.exec(path);
  if (!page) return undefined;
  const [repository, revision = 'main', file = ''] = page.slice(1).map((part) => part && decodeURIComponent(part));
  return { repository, revision, file };
}

/** Error: not_found for a repository that nobody may read; io if the Hub cannot be asked. */
export async function listRepository(
  { repository, revision }: HubName,
  { hubUrl = kHubUrl, token }: HubOptions,
  signal?: AbortSignal,
): Promise<Listing> {
  const url = `${hubUrl}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await fetch(url, { headers: authorization(token), signal: signal ?? null }).catch((error: Error) => {
    throw new HandloomError('io', `hub: ${hubUrl} cannot be asked for ${repository}: ${error.message}`);
  });
  if ([401, 403, 404].includes(response.status)) {
    throw new HandloomError(
      'not_found',
      `hub: ${repository} has no revision '${revision}' that ${token ? 'this token' : 'everybody'} may read ` +
        `(${hubUrl} answers ${response.status}); a gated model needs the option 'token', a folder beside the page './'`,
    );
  }
  if (!response.ok) {
    throw new HandloomError('io', `hub: ${hubUrl} answers ${response.status} when asked for ${repository}`);
  }
  const { sha, siblings } = (await response.json().catch(() => ({}))) as {
    sha?: string;
    siblings?: { rfilename: string; size: number; lfs?: { sha256: string } }[];
  };
  if (!sha || !siblings) {
    throw new HandloomError('bad_format', `hub: ${url}: has no 'sha' and 'siblings', expected the Hub's list of files`);
  }
  const files = siblings.map(({ rfilename, size, lfs }) => ({ path: rfilename, size, sha256: lfs?.sha256 }));
  return { commit: sha, files };
}

/** The model of a repository that is meant. Error: invalid_argument if that could be several. */
export function placeInHub({ repository, file }: HubName, listing: Listing, options: HubOptions): Place {
  const { hubUrl = kHubUrl, token } = options;
  const paths = listing.files.map(({ path }) => path);
  const found = pick(repository, file, paths);
  const isGguf = /\.gguf$/i.test(found);
  // A .safetensors file stands for its folder, and for all that belongs to the model there.
  const picked = isGguf || !paths.includes(found) ? found : found.replace(/\/?[^/]*$/, '');
  const base = `${hubUrl}/${repository}`;
  const root = picked ? `${base}/${picked}` : base;
  return {
    root,
    isFolder: !isGguf,
    urlOf: (path) => {
      const inner = path.slice(base.length + 1).split('/').map(encodeURIComponent).join('/');
      return `${base}/resolve/${listing.commit}/${inner}`;
    },
    headers: authorization(token),
    published: new Map(listing.files.map(({ path, ...published }) => [`${base}/${path}`, published])),
  };
}

const authorization = (token?: string): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});

/** The path of a GGUF file, or of a folder; '' for the repository itself. */
function pick(repository: string, file: string, paths: string[]): string {
  const folder = file.replace(/\/+$/, '');
  if (paths.includes(file) || paths.some((path) => path.startsWith(`${folder}/`))) return folder;
  const isFolderModel = paths.some((path) => path === 'config.json' || path === 'mlc-chat-config.json');
  if (file === '' && isFolderModel) return '';
  const models = paths.filter(isModelGguf);
  const meant = models.filter((path) => path.toLowerCase().includes(file.toLowerCase()));
  if (meant.length === 1) return meant[0];
  if (models.length === 0) {
    throw new HandloomError(
      'not_found',
      `hub: ${repository} holds ${file ? `no '${file}'` : 'no model'}, expected a .gguf file, or config.json with safetensors`,
    );
  }
  const choice = meant.length > 0 ? meant : models;
  const names = choice.slice(0, kMostNamed).map((path) => `'${path}'`).join(', ');
  throw new HandloomError(
    meant.length > 0 ? 'invalid_argument' : 'not_found',
    `hub: ${repository} holds ${meant.length > 0 ? `${choice.length} GGUF models` : `no '${file}'`}` +
      ` (${names}${choice.length > kMostNamed ? ', ...' : ''}); name one: '${repository}:${choice[0]}'`,
  );
}
