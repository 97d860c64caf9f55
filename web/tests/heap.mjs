// heap.mjs MODEL.gguf [options as JSON]: loads a model over HTTP under Node and prints the most memory
// that JavaScript held meanwhile, the engine's own (WebAssembly) apart, and how fast it generates.
// The server is a process of its own, whose memory does not count.
import { fork } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { serve } from '../serve.mjs';

const [file, options = '{}'] = process.argv.slice(2);

async function serveFile() {
  const { size } = statSync(file);
  const { url } = await serve({
    intercept(request, response) {
      const [, start, end] = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
      const last = Math.min(Number(end), size - 1);
      response.writeHead(206, { 'content-range': `bytes ${start}-${last}/${size}`, 'content-length': last - Number(start) + 1 });
      createReadStream(file, { start: Number(start), end: last }).pipe(response);
      return true;
    },
  });
  process.send(url);
}

/** The engine's memory, once it is there. */
function watchEngine() {
  const instantiate = WebAssembly.instantiate;
  const engine = { memory: undefined };
  WebAssembly.instantiate = async (...args) => {
    const made = await instantiate(...args);
    const { exports } = made.instance ?? made;
    if (exports.handloom_call) engine.memory = exports.memory; // fetch has a WebAssembly of its own
    return made;
  };
  return engine;
}

async function measure() {
  const { loadModel } = await import('../dist/handloom.js');
  const { gpu } = await import('./adapter.mjs');
  const server = fork(fileURLToPath(import.meta.url), [file]);
  const url = await new Promise((resolve) => server.once('message', resolve));
  const engine = watchEngine();
  let peak = 0;
  const look = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + arrayBuffers);
  };
  const looking = setInterval(look, 5);
  const model = await loadModel(`${url}model.gguf`, { adapter: gpu, ...JSON.parse(options), onProgress: look });
  clearInterval(looking);
  server.kill();
  const mega = (n) => `${(n / 1e6).toFixed(1)} MB`;
  console.log(`loaded ${mega(statSync(file).size)} in ${(model.loadMs / 1000).toFixed(1)} s on ${model.adapter.name}`);
  console.log(`most JavaScript memory ${mega(peak)}, the engine's ${mega(engine.memory.buffer.byteLength)}`);
  const session = await model.createSession();
  const { stats } = await session.generate('Hello', { temperature: 0, maxTokens: 8 }).result;
  console.log(`${((stats.generatedTokens - 1) / stats.decodeMs * 1000).toFixed(1)} tok/s, plan ${model.info.plan}, matvec ${model.info.matvec}`);
  await model.dispose();
  process.exit(0);
}

await (process.send ? serveFile() : measure());
