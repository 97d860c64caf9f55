// What a bench finds out, in the form of `handloom bench --json`: one line, which any of the benches
// compares itself with.
import type { Model } from '../../src/index.js';
import type { Flags } from './flags.js';
import { median } from './format.js';
import { Inspector } from './inspector.js';
import { type Figure, Timer, type Work, loadFigure, measure } from './measure.js';

declare const HANDLOOM_VERSION: string, HANDLOOM_COMMIT: string; // by build.mjs

// The check of the native bench (apps/cli/bench_check.h): what follows the first ids that are made up.
const kCheckPrompt = 16, kCheckTokens = 32;

export interface Measured {
  ids: number[];
  readBandwidth: number;
  figures: Figure[];
}

/** `onProgress`: from 0 to 1. */
export async function measureModel(model: Model, work: Work, onProgress: (share: number) => void): Promise<Measured> {
  const inspector = await Inspector.open(model);
  const readBandwidth = await inspector.bandwidth();
  const timer = new Timer(inspector);
  const ids = await timer.greedy(kCheckPrompt, kCheckTokens);
  return { ids, readBandwidth, figures: [loadFigure(model.loadMs), ...(await measure(timer, work, onProgress))] };
}

/** Where a bench ran: the system's name, what ran the engine, and what Dawn calls the adapter. */
export interface Place {
  system: string;
  host: string;
  device?: string;
}

/** `name`: the model's; `load`: how it was asked for. */
export function reportOf(name: string, load: Flags['load'], model: Model, repeats: number, place: Place, measured: Measured) {
  const { info, adapter } = model;
  const { precision = 'automatic', plan = 'automatic', matvec = 'automatic' } = load;
  return {
    handloom: HANDLOOM_VERSION,
    commit: HANDLOOM_COMMIT,
    date: new Date().toISOString().slice(0, 10),
    system: place.system,
    host: place.host,
    adapter: {
      name: place.device || adapter.name,
      kind: adapter.software ? 'software' : 'unknown',
      driver: adapter.driver,
      backend: 'WebGPU',
    },
    model: {
      name,
      architecture: info.architecture,
      weights: info.weightDtype,
      kv: info.kvDtype,
      plan: info.plan,
      matvec: info.matvec,
      context: info.context,
      weight_bytes_per_token: info.weightBytesPerToken,
      kv_bytes_per_token: info.kvBytesPerToken,
    },
    options: { precision, plan, matvec, subgroups: load.subgroups !== false, tune: 'off', sampling: 'GPU', repeats },
    read_bytes_per_second: measured.readBandwidth,
    check: { ids: measured.ids },
    figures: measured.figures.map(({ name: figure, tokens, unit, samples, bytesPerSecond }) => ({
      name: figure,
      tokens,
      unit,
      median: median(samples),
      least: Math.min(...samples),
      most: Math.max(...samples),
      bytes_per_second: bytesPerSecond,
    })),
  };
}

export type Report = ReturnType<typeof reportOf>;
