// Earlier runs of the bench, kept in this browser for comparison.
import type { Figure } from './measure.js';

const kKey = 'handloom bench';
const kMostRuns = 24;

export interface Run {
  date: string;
  model: string;
  adapter: string;
  /** "plan fused, matvec int8, f16, cache f16, subgroups" */
  form: string;
  readBandwidth: number;
  figures: Figure[];
}

export function keptRuns(): Run[] {
  try {
    return JSON.parse(localStorage.getItem(kKey) ?? '[]') as Run[];
  } catch {
    return []; // of another version
  }
}

/** The newest first; one of each model and form. */
export function keepRun(run: Run): Run[] {
  const others = keptRuns().filter(({ model, form, adapter }) => model !== run.model || form !== run.form || adapter !== run.adapter);
  const runs = [run, ...others].slice(0, kMostRuns);
  localStorage.setItem(kKey, JSON.stringify(runs));
  return runs;
}

export function forgetRuns(): void {
  localStorage.removeItem(kKey);
}
