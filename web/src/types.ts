// What the package takes and answers.
import type { AdapterDescription } from './gpu.js';

export type Precision = 'f32' | 'f16' | 'automatic';
export type KvType = 'automatic' | 'f32' | 'f16' | 'int8';

/** As of the engine; the names are those of the command line. */
export interface LoadOptions {
  /** Keep what a URL gives in the browser's storage; true unless said otherwise. */
  cache?: boolean;
  precision?: Precision;
  kv?: KvType;
  /** Tokens that a session can hold; 4096, or fewer where the model has fewer, if nothing is said. */
  context?: number;
  plan?: 'automatic' | 'plain' | 'fused';
  matvec?: string;
  subgroups?: boolean;
}

export interface LoadProgress {
  doneBytes: number;
  totalBytes: number;
  stage: 'weights' | 'kernels';
  /** Something that a person should know before the bytes are fetched. */
  notice?: string;
}

export interface ChatTemplate {
  text: string;
  bosToken: string;
  eosToken: string;
  unkToken: string;
  padToken: string;
}

export interface ModelInfo {
  architecture: string;
  weightDtype: string;
  kvDtype: string;
  precision: 'f32' | 'f16';
  plan: 'plain' | 'fused';
  matvec: string;
  layers: number;
  modelDim: number;
  vocabSize: number;
  maxSeqLen: number;
  context: number;
  parameters: number;
  weightBytesPerToken: number;
  kvBytesPerToken: number;
  sampling: SamplingOptions;
  chatTemplate: ChatTemplate;
}

export interface LoadedModel {
  model: ModelInfo;
  adapter: AdapterDescription;
  loadMs: number;
}

export interface MemoryUse {
  weights: number;
  kvCache: number;
  activations: number;
  other: number;
  kvHost: number;
  total: number;
}

export interface SamplingOptions {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repeatPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  seed?: number;
}

export interface GenerateOptions extends SamplingOptions {
  maxTokens?: number;
  stop?: string[];
  /** Decode steps submitted before their tokens are known; chosen if nothing is said. */
  stepsInFlight?: number;
  /** For measurements: no text, and end tokens do not end it. */
  idsOnly?: boolean;
}

export interface Stats {
  promptTokens: number;
  generatedTokens: number;
  prefillMs: number;
  decodeMs: number;
  decodeBytes: number;
  stepsInFlight: number;
}

export interface Generation {
  text: string;
  ids: number[];
  finishReason: 'stop' | 'length' | 'cancelled';
  stats: Stats;
}

export interface Message {
  role: string;
  content: string;
}
