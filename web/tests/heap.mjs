// heap.mjs MODEL.gguf [options as JSON]: loads a model over HTTP under Node and prints the most memory
// that JavaScript held meanwhile, the engine's own (WebAssembly) apart, and how fast it generates.
import { createReadStream, statSync } from 'node:fs';

import { loadModel } from '../dist/handloom.js';
import { serve } from '../serve.mjs';
import { gpu } from './adapter.mjs';

const [file, options = '{}'] = process.argv.slice(2);
const server = await serve({
  intercept(request, response) {
    const [, start, end] = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
    const { size } = statSync(file);
    const last = Math.min(Number(end), size - 1);
    response.writeHead(206, { 'content-range': `bytes ${start}-${last}/${size}`, 'content-length': last - start + 1 });
    createReadStream(file, { start: Number(start), end: last }).pipe(response);
    return true;
  },
});

let engineBytes = 0;
const instantiate = WebAssembly.instantiate;
let memory;
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate(...args);
  const { exports } = made.instance ?? made;
  if (exports.handloom_call) memory = exports.memory; // fetch has a WebAssembly of its own
  return made;
};
let peak = 0;
const look = () => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  engineBytes = memory?.buffer.byteLength ?? 0;
  peak = Math.max(peak, heapUsed + arrayBuffers);
};
const looking = setInterval(look, 5);
const model = await loadModel(`${server.url}model.gguf`, { adapter: gpu, ...JSON.parse(options), onProgress: look });
clearInterval(looking);
const mega = (n) => `${(n / 1e6).toFixed(1)} MB`;
console.log(`loaded ${mega(statSync(file).size)} in ${(model.loadMs / 1000).toFixed(1)} s on ${model.adapter.name}`);
console.log(`most JavaScript memory ${mega(peak)}, the engine's ${mega(engineBytes)}`);
const session = await model.createSession();
const { stats } = await session.generate('Hello', { temperature: 0, maxTokens: 8 }).result;
console.log(`${((stats.generatedTokens - 1) / stats.decodeMs * 1000).toFixed(1)} tok/s, plan ${model.info.plan}, matvec ${model.info.matvec}`);
await model.dispose();
server.close();
process.exit(0);
