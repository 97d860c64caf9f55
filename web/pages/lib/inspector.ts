// The calls of the module inspect.wasm (web/wasm/inspect_calls.cpp), with their types.
import type { EngineHost, GenerateOptions, Generation, Model } from '../../src/index.js';
import { handloom } from './package.js';

export interface Binding {
  name: string;
  tensor: string;
  dtype: string;
  shape: string;
  written: boolean;
}

export interface Entry {
  kernel: string;
  bindings: Binding[];
  constants: string;
  params: string;
  workgroups: [number, number, number];
  bytes: number;
  /** On the GPU's clock; undefined where it has none. */
  us?: number;
}

export interface StepList {
  entries: Entry[];
  /** Of the step as it is submitted, beginning to end. */
  spanUs?: number;
}

export interface TopToken {
  id: number;
  text: string;
  probability: number;
}

export interface NextToken {
  top: TopToken[];
  entropyBits: number;
  /** Whether all logits are numbers. */
  finite: boolean;
}

export interface KernelReport {
  kernel: string;
  about: string;
  variants: string;
  values: number;
  exact: number;
  maxError: number;
  meanError: number;
  ofLimit: number;
  passed: boolean;
  failure: string;
}

export type Step = 'decode' | 'prefill';

/** A session of a model loaded with `inspects`. */
export class Inspector {
  private constructor(
    readonly model: Model,
    private readonly session: number,
  ) {}

  static async open(model: Model): Promise<Inspector> {
    return new Inspector(model, await model.host.openSession());
  }

  private get host(): EngineHost {
    return this.model.host;
  }

  /** Keeps the first `length` tokens. */
  rewind(length: number): Promise<void> {
    return this.host.rewind(this.session, length);
  }

  generate(ids: number[], options: GenerateOptions): Promise<Generation> {
    return this.host.generate(this.session, ids, options, () => undefined);
  }

  /** How likely each token is after `ids` alone; the session then holds one token more than these. */
  async nextToken(ids: number[], top: number): Promise<NextToken> {
    await this.rewind(0);
    return this.host.inspect('startNextToken', { session: this.session, ids, top });
  }

  /** Bytes per second of a plain read. */
  async bandwidth(): Promise<number> {
    const { bytesPerSecond } = await this.host.inspect<{ bytesPerSecond: number }>('startBandwidth', {});
    return bytesPerSecond;
  }

  /** The dispatches of a step over tokens that the session holds: timed, where the GPU has a clock. */
  steps(step: Step, tokens: number): Promise<StepList> {
    const isTimed = this.model.adapter.features.timestamps;
    return this.host.inspect(isTimed ? 'startProfile' : 'plan', { session: this.session, step, tokens });
  }
}

/** Checks of kernels, for which there need be no model. */
export class KernelChecks {
  private constructor(
    private readonly host: EngineHost,
    /** The kernel of each check. */
    readonly kernels: string[],
  ) {}

  static async open(): Promise<KernelChecks> {
    const { checkCapabilities, startEngine } = await handloom();
    const { supported, reason } = await checkCapabilities();
    if (!supported) throw new Error(reason);
    const host = await startEngine({ wasmUrl: new URL('inspect.wasm', location.href) });
    const { kernels } = await host.inspect<{ kernels: string }>('openKernelChecks', {});
    return new KernelChecks(host, kernels.split(' '));
  }

  run(index: number): Promise<KernelReport> {
    return this.host.inspect('startKernelCheck', { index });
  }

  close(): Promise<void> {
    return this.host.dispose();
  }
}
