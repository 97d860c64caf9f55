// Sizes of published models, and what this device's limits make of them.
import type { AdapterDescription } from '../../src/index.js';
import { binaryText, bytesText } from './format.js';

export interface Family {
  name: string;
  layers: number;
  modelDim: number;
  ffnDim: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabSize: number;
  tied: boolean;
}

/** From their config.json. */
export const kFamilies: Family[] = [
  { name: 'Qwen 3 0.6B', layers: 28, modelDim: 1024, ffnDim: 3072, heads: 16, kvHeads: 8, headDim: 128, vocabSize: 151936, tied: true },
  { name: 'Llama 3.2 1B', layers: 16, modelDim: 2048, ffnDim: 8192, heads: 32, kvHeads: 8, headDim: 64, vocabSize: 128256, tied: true },
  { name: 'Qwen 2.5 1.5B', layers: 28, modelDim: 1536, ffnDim: 8960, heads: 12, kvHeads: 2, headDim: 128, vocabSize: 151936, tied: true },
  { name: 'Gemma 2 2B', layers: 26, modelDim: 2304, ffnDim: 9216, heads: 8, kvHeads: 4, headDim: 256, vocabSize: 256000, tied: true },
  { name: 'Llama 3.2 3B', layers: 28, modelDim: 3072, ffnDim: 8192, heads: 24, kvHeads: 8, headDim: 128, vocabSize: 128256, tied: true },
  { name: 'Phi-3-mini 3.8B', layers: 32, modelDim: 3072, ffnDim: 8192, heads: 32, kvHeads: 32, headDim: 96, vocabSize: 32064, tied: false },
  { name: 'Gemma 3 4B', layers: 34, modelDim: 2560, ffnDim: 10240, heads: 8, kvHeads: 4, headDim: 256, vocabSize: 262208, tied: true },
  { name: 'Mistral 7B', layers: 32, modelDim: 4096, ffnDim: 14336, heads: 32, kvHeads: 8, headDim: 128, vocabSize: 32768, tied: false },
  { name: 'Llama 3.1 8B', layers: 32, modelDim: 4096, ffnDim: 14336, heads: 32, kvHeads: 8, headDim: 128, vocabSize: 128256, tied: false },
];

const kBytesPerWeight = 4.5 / 8; // 4 bits, and an f16 scale for each 32
const kContext = 4096;
/** Tokens of the smallest slab of keys and values that the engine makes. */
const kLeastSlab = 256;
/** Bindings of the kernel that has the most (src/kernels/attention_split.wgsl), its parameters apart. */
const kMostBindings = 8;
const kWorkgroup = 256;
const kWorkgroupBytes = 16384;

export interface Outlook {
  weights: string;
  cache: string;
  /** Empty: every limit is met. */
  refusal: string;
  /** What the engine does about limits that it can live with. */
  note: string;
}

function bytesOf(f: Family) {
  const qkv = f.modelDim * (f.heads + 2 * f.kvHeads) * f.headDim, out = f.heads * f.headDim * f.modelDim;
  const layer = qkv + out + 3 * f.modelDim * f.ffnDim;
  const embedding = f.vocabSize * f.modelDim * kBytesPerWeight;
  return {
    embedding,
    weights: f.layers * layer * kBytesPerWeight + embedding * (f.tied ? 1 : 2),
    kvPerToken: 2 * f.kvHeads * f.headDim, // of a layer, in values
    row: f.modelDim * kBytesPerWeight,
  };
}

/** Which of a device's limits refuses the model, or what it costs. */
export function outlookOf(f: Family, { limits, features }: AdapterDescription): Outlook {
  const { embedding, weights, kvPerToken, row } = bytesOf(f);
  const binding = Math.min(limits.max_binding_bytes, limits.max_buffer_bytes);
  const kvBytes = features.f16 ? 2 : 4;
  const slab = kLeastSlab * kvPerToken * kvBytes;
  const parts = Math.ceil(embedding / binding);
  const refusals = [
    limits.max_bindings < kMostBindings && `a kernel binds ${kMostBindings} storage buffers, allowed are ${limits.max_bindings}`,
    limits.max_invocations < kWorkgroup && `a workgroup has ${kWorkgroup} lanes, allowed are ${limits.max_invocations}`,
    limits.max_workgroup_bytes < kWorkgroupBytes &&
      `a workgroup takes ${binaryText(kWorkgroupBytes)}, allowed are ${binaryText(limits.max_workgroup_bytes)}`,
    row > binding && `a row of a matrix takes ${binaryText(row)}, a binding ${binaryText(binding)}`,
    slab > binding && `${kLeastSlab} tokens of a layer's cache take ${binaryText(slab)}, a binding ${binaryText(binding)}`,
  ];
  return {
    weights: bytesText(weights),
    cache: bytesText(kContext * f.layers * kvPerToken * kvBytes),
    refusal: refusals.find((text) => text !== false) || '',
    note: parts > 1 ? `embedding in ${parts} parts` : '',
  };
}
