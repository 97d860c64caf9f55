// serve.mjs [PORT]: serves the built pages, and the repository's models below /models/, and what is
// in web/webllm/ (README.md), with range requests. As a module: serve({ port, given, intercept }), for the
// bench and for tests that need a server to misbehave.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, extname, join, normalize, relative } from 'node:path';
import { pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.map': 'application/json',
};

/** The file that a path of a URL stands for; `given`: what lies below /given/. */
function fileOf(path, given) {
  const clean = normalize(decodeURIComponent(path)).replace(/^(\.\.\/)+/, '');
  const beside = given && relative(`/given/${basename(given)}`, clean);
  if (beside !== undefined && !beside.startsWith('..')) return join(given, beside);
  if (clean.startsWith('/models/')) return join(here, '..', clean);
  if (clean.startsWith('/webllm/')) return join(here, clean);
  return join(here, 'dist', clean.endsWith('/') ? `${clean}index.html` : clean);
}

/** The range asked for, within a file of `size` bytes; undefined: the whole. */
function rangeOf(header, size) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (!match) return undefined;
  return { start: Number(match[1]), end: Math.min(match[2] ? Number(match[2]) : size - 1, size - 1) };
}

/** A browser that goes away closes the file, and is no error. */
const send = (file, response) => pipeline(file, response, () => undefined);

function answer(request, response, file) {
  if (!existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
    return;
  }
  const { size, mtimeMs } = statSync(file);
  const headers = {
    'content-type': kTypes[extname(file)] ?? 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: `"${size}-${Math.round(mtimeMs)}"`,
    'cache-control': 'no-cache',
  };
  const range = rangeOf(request.headers.range, size);
  if (!range) {
    response.writeHead(200, { ...headers, 'content-length': size });
    send(createReadStream(file), response);
    return;
  }
  if (range.start >= size) {
    response.writeHead(size === 0 ? 200 : 416, headers).end();
    return;
  }
  response.writeHead(206, {
    ...headers,
    'content-length': range.end - range.start + 1,
    'content-range': `bytes ${range.start}-${range.end}/${size}`,
  });
  send(createReadStream(file, range), response);
}

/**
 * `given`: a file or folder to be served as /given/NAME, too. `intercept(request, response, file)` answers true if it has
 * answered the request itself.
 */
export function serve({ port = 0, host = '127.0.0.1', given, intercept = () => false } = {}) {
  const server = createServer((request, response) => {
    const file = fileOf(new URL(request.url, 'http://localhost').pathname, given);
    if (!intercept(request, response, file)) answer(request, response, file);
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, host, () => {
      resolve({ url: `http://localhost:${server.address().port}/`, close: () => server.close() });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve({ port: Number(process.argv[2] ?? 8080) });
  console.log(`handloom: open ${url} in a browser with WebGPU; end with Ctrl-C`);
}
