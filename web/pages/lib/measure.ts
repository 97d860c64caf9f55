// The measurements of the bench page, as apps/cli/bench_measure.cpp has them: warm-up, then repeats by
// turns.
import type { Generation, Stats } from '../../src/index.js';
import { median } from './format.js';
import type { Inspector } from './inspector.js';
import { madeUpIds } from './made_up.js';

const kWarmUpTokens = 64, kLeastWarmUpMs = 250, kMostWarmUpMs = 3000, kStillRising = 1.02;
const kDefaultContexts = [256, 1024, 4000];
const kFewestTokens = 8;

export interface Work {
  prompt: number;
  points: { context: number; tokens: number }[];
  repeats: number;
}

/** Name and tokens are the native bench's, too. */
export interface Figure {
  name: string;
  /** Of the prompt, or held before the first step; 0: does not matter. */
  tokens: number;
  unit: string;
  samples: number[];
  /** Read from GPU memory, at the median; 0: not a figure of that kind. */
  bytesPerSecond: number;
}

/** "decode after 256" */
export function titleOf({ name, tokens }: Figure): string {
  if (tokens === 0) return name;
  return `${name} ${name === 'prefill' ? 'of' : 'after'} ${tokens}`;
}

export const loadFigure = (loadMs: number): Figure => ({ name: 'load', tokens: 0, unit: 's', samples: [loadMs / 1000], bytesPerSecond: 0 });

type Numbers = Record<string, number[] | undefined>;

/** What is asked for, fitted to what a session holds; throws an Error of one sentence. */
export function fitWork(numbers: Numbers, context: number): Work {
  const tokens = numbers.tokens?.[0] ?? 128;
  const prompt = numbers.prompt?.[0] ?? Math.min(512, Math.floor(context / 2));
  if (prompt >= context) {
    throw new Error(`bench: 'prompt' is ${prompt}, expected at most ${context - 1}: the context holds ${context}`);
  }
  const asked = numbers.contexts;
  const fits = (c: number) => c + Math.min(kFewestTokens, tokens) <= context;
  const tooLong = asked?.find((c) => !fits(c));
  if (tooLong !== undefined) {
    throw new Error(`bench: 'contexts' has ${tooLong}, expected at most ${context - kFewestTokens}: the context holds ${context}`);
  }
  const contexts = (asked ?? kDefaultContexts).filter(fits);
  if (contexts.length === 0) contexts.push(Math.floor(context / 2));
  const points = contexts.map((c) => ({ context: c, tokens: Math.min(tokens, context - c) }));
  return { prompt, points, repeats: numbers.repeats?.[0] ?? 3 };
}

const decodeRate = ({ generatedTokens, decodeMs }: Stats) => ((generatedTokens - 1) / decodeMs) * 1000;

/** A session driven for its times. */
export class Timer {
  private readonly ids: number[];
  private filled = 0; // of them, with which the timeline begins

  constructor(private readonly inspector: Inspector) {
    const { context, vocabSize } = inspector.model.info;
    this.ids = madeUpIds(context, vocabSize);
  }

  private generate(ids: number[], maxTokens: number): Promise<Generation> {
    return this.inspector.generate(ids, { temperature: 0, maxTokens, idsOnly: true });
  }

  async prefill(n: number): Promise<Stats> {
    await this.inspector.rewind(0);
    this.filled = n;
    return (await this.generate(this.ids.slice(0, n), 1)).stats;
  }

  /** `n` tokens after `context` others, the first of them that of the prompt's last. */
  private async follow(context: number, n: number): Promise<Generation> {
    if (this.filled < context) await this.prefill(context);
    this.filled = context;
    await this.inspector.rewind(context - 1);
    return this.generate(this.ids.slice(context - 1, context), n);
  }

  /** `n` steps after `context` tokens. */
  async decode(context: number, n: number): Promise<Stats> {
    return (await this.follow(context, n + 1)).stats; // the first token's time is not a decode step's
  }

  /** The likeliest tokens after the first `context` of those made up. */
  async greedy(context: number, n: number): Promise<number[]> {
    return (await this.follow(context, n)).ids;
  }
}

/** From idle clocks the same kernels measure several times slower. */
async function warmUp(timer: Timer, { context, tokens }: Work['points'][0]): Promise<void> {
  let fastest = 0;
  for (let spentMs = 0; spentMs < kMostWarmUpMs; ) {
    const stats = await timer.decode(context, Math.min(kWarmUpTokens, tokens));
    const rate = decodeRate(stats);
    const isRising = rate > kStillRising * fastest;
    fastest = Math.max(fastest, rate);
    spentMs += stats.prefillMs + stats.decodeMs;
    if (spentMs >= kLeastWarmUpMs && !isRising) return;
  }
}

/** `onProgress`: from 0 to 1. */
export async function measure(
  timer: Timer,
  { prompt, points, repeats }: Work,
  onProgress: (share: number) => void,
): Promise<Figure[]> {
  const figure = (name: string, tokens: number, unit: string): Figure => ({ name, tokens, unit, samples: [], bytesPerSecond: 0 });
  const first = figure('first token', prompt, 'ms'), prefill = figure('prefill', prompt, 'tok/s');
  const decode = points.map(({ context }) => figure('decode', context, 'tok/s'));
  await warmUp(timer, points[0]);
  for (let i = 0; i < repeats; i++) {
    const stats = await timer.prefill(prompt);
    first.samples.push(stats.prefillMs);
    prefill.samples.push((prompt / stats.prefillMs) * 1000);
    for (let p = 0; p < points.length; p++) {
      const { context, tokens } = points[p];
      const decoded = await timer.decode(context, tokens);
      decode[p].samples.push(decodeRate(decoded));
      decode[p].bytesPerSecond = (median(decode[p].samples) * decoded.decodeBytes) / (decoded.generatedTokens - 1);
      onProgress((i + (p + 1) / points.length) / repeats);
    }
  }
  return [first, prefill, ...decode];
}
