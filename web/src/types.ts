// What the package takes and answers.

/** `navigator.gpu`, or the GPU of the package `webgpu`: not every program has the types of WebGPU. */
export interface GpuSource {
  requestAdapter(options?: object): Promise<unknown>;
}

export interface AdapterDescription {
  name: string;
  vendor: string;
  architecture: string;
  driver: string;
  software: boolean;
  features: {
    f16: boolean;
    subgroups: boolean;
    min_subgroup_size: number;
    max_subgroup_size: number;
    timestamps: boolean;
  };
  limits: {
    max_binding_bytes: number;
    max_buffer_bytes: number;
    max_bindings: number;
    max_invocations: number;
    max_workgroup_bytes: number;
    max_workgroups: number;
  };
}

export type Precision = 'f32' | 'f16' | 'automatic';
export type KvType = 'automatic' | 'f32' | 'f16' | 'int8';

/** As of the engine; the names are those of the command line. */
export interface LoadOptions {
  /** Keep what a URL gives in the browser's storage; true unless said otherwise. */
  cache?: boolean;
  /**
   * Compare whole files with the sums that the Hub or an MLC folder publishes of them, once they are
   * all kept; true unless said otherwise. Only what is kept is compared.
   */
  verify?: boolean;
  /** Where "owner/name" is looked for: https://huggingface.co unless said otherwise. */
  hubUrl?: string;
  /** Of the Hub, for models that are not for everybody. */
  token?: string;
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
  stage: 'weights' | 'kernels' | 'verify';
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
