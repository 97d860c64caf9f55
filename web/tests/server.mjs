// A server of files that are kept in memory, by range, and of repositories as the Hub serves them.
import { createHash } from 'node:crypto';

import { serve } from '../serve.mjs';

/** Answers with `bytes`, or the range of them that is asked for. */
export function sendBytes(request, response, bytes, headers = {}) {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const begin = Number(range?.[1] ?? 0), last = Math.min(Number(range?.[2] ?? Infinity), bytes.length - 1);
  if (range && begin >= bytes.length) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  response
    .writeHead(range ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': last + 1 - begin,
      ...(range && { 'content-range': `bytes ${begin}-${last}/${bytes.length}` }),
      ...headers,
    })
    .end(bytes.subarray(begin, last + 1));
}

const kCommit = '0123456789abcdef0123456789abcdef01234567';

/**
 * The pages, files below /files/, and repositories as a Hub has them: their list at /hub/api/models/,
 * large files behind a redirection. `misbehave`, if set, answers true where it has answered itself.
 */
export async function startServer() {
  const files = new Map(); // by "/files/..."
  const repositories = new Map(); // by "owner/name"; each of a Map by path
  const server = {
    misbehave: () => false,
    /** { url, range } of each request for a file */
    requests: [],
    addFiles(folder, models) {
      for (const [name, bytes] of models) files.set(`/files/${folder}/${name}`, bytes);
    },
    addRepository(name, models) {
      repositories.set(name, models);
    },
  };
  const isLarge = (bytes) => bytes.length > 1_000_000;
  const sha256 = new Map();
  const sumOf = (bytes) => {
    if (!sha256.has(bytes)) sha256.set(bytes, createHash('sha256').update(bytes).digest('hex'));
    return sha256.get(bytes);
  };

  function listing(repository) {
    const siblings = [...repository].map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      ...(isLarge(bytes) && { lfs: { sha256: sumOf(bytes), size: bytes.length } }),
    }));
    return JSON.stringify({ id: 'any', sha: kCommit, siblings });
  }

  function answerAsHub(path, request, response) {
    const [, asked, revision] = /^\/hub\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/?]+)/.exec(path) ?? [];
    if (asked) {
      const repository = repositories.get(asked);
      if (!repository || !['main', kCommit].includes(revision)) response.writeHead(401).end('{}');
      else response.writeHead(200, { 'content-type': 'application/json' }).end(listing(repository));
      return true;
    }
    const [, owner, commit, name] = /^\/hub\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.*)$/.exec(path) ?? [];
    const bytes = commit === kCommit && repositories.get(owner)?.get(name);
    if (!bytes) return false;
    if (isLarge(bytes)) response.writeHead(302, { location: `/cdn/${owner}/${name}` }).end();
    else sendBytes(request, response, bytes);
    return true;
  }

  const { url, close } = await serve({
    intercept(request, response, file) {
      const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
      const [, owner, inCdn] = /^\/cdn\/([^/]+\/[^/]+)\/(.*)$/.exec(path) ?? [];
      const bytes = files.get(path) ?? repositories.get(owner)?.get(inCdn);
      if (/^\/(models|files|hub|cdn)\//.test(path)) {
        server.requests.push({ url: request.url, range: request.headers.range });
      }
      if (path === '/blank.html') {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>test</title>');
        return true;
      }
      if (server.misbehave(request, response, bytes, file) || answerAsHub(path, request, response)) return true;
      if (bytes) sendBytes(request, response, bytes, { etag: `"${sumOf(bytes)}"` });
      return bytes !== undefined;
    },
  });
  return Object.assign(server, { url, hubUrl: `${url}hub`, close });
}
