// The starter in every form that people keep models in, made from models/starter and kept in memory:
// each is a Map from the names of its files to their bytes.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const kFolder = new URL('../../models/starter/', import.meta.url);
const read = (name) => readFileSync(new URL(name, kFolder));
const json = (value) => Buffer.from(JSON.stringify(value));
const config = JSON.parse(read('config.json'));

const kTexts = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];
const texts = (names = kTexts) => names.map((name) => [name, read(name)]);

/** As it lies in the repository. */
export const starter = new Map([...texts(), ['model.safetensors', read('model.safetensors')]]);

/** [{ name, dtype, shape, bytes }] */
function tensorsOf(safetensors) {
  const headerBytes = Number(safetensors.readBigUInt64LE(0));
  const header = JSON.parse(safetensors.subarray(8, 8 + headerBytes));
  delete header.__metadata__;
  return Object.entries(header).map(([name, { dtype, shape, data_offsets: [begin, end] }]) => ({
    name,
    dtype,
    shape,
    bytes: safetensors.subarray(8 + headerBytes + begin, 8 + headerBytes + end),
  }));
}

function safetensorsOf(tensors) {
  let at = 0;
  const header = {};
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, (at += bytes.length)] };
  }
  const text = json(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map(({ bytes }) => bytes)]);
}

const tensors = tensorsOf(starter.get('model.safetensors'));
const halves = [tensors.slice(0, tensors.length / 2), tensors.slice(tensors.length / 2)];

/** Safetensors in two files, with the index of Hugging Face. */
export function sharded() {
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  const weight_map = Object.fromEntries(halves.flatMap((half, i) => half.map(({ name }) => [name, names[i]])));
  return new Map([
    ...texts(),
    ['model.safetensors.index.json', json({ metadata: {}, weight_map })],
    ...halves.map((half, i) => [names[i], safetensorsOf(half)]),
  ]);
}

/** The nearest f16 of a finite f32 (IEEE 754, ties to even). */
function halfOf(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -24)));
  const steps = size / 2 ** (exponent - 10); // exact: of the last place
  const below = Math.floor(steps), rest = steps - below;
  const rounded = below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0);
  return sign | (((exponent + 14) << 10) + rounded); // 1024 steps and more are the leading bit
}

const halfOfBf16 = new Map();

/** Values of bf16 as others of `type`, 'F16' or 'F32'. */
function converted(bf16, type) {
  const n = bf16.length / 2;
  const out = Buffer.alloc(n * (type === 'F16' ? 2 : 4));
  for (let i = 0; i < n; i++) {
    const bits = bf16.readUInt16LE(2 * i);
    if (type === 'F32') {
      out.writeUInt16LE(bits, 4 * i + 2);
      continue;
    }
    if (!halfOfBf16.has(bits)) {
      const word = new DataView(new ArrayBuffer(4));
      word.setUint16(0, bits);
      halfOfBf16.set(bits, halfOf(word.getFloat32(0)));
    }
    out.writeUInt16LE(halfOfBf16.get(bits), 2 * i);
  }
  return out;
}

// --- GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)

const kGgufNames = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'input_layernorm.weight': 'attn_norm.weight',
  'post_attention_layernorm.weight': 'ffn_norm.weight',
  'self_attn.q_proj.weight': 'attn_q.weight',
  'self_attn.k_proj.weight': 'attn_k.weight',
  'self_attn.v_proj.weight': 'attn_v.weight',
  'self_attn.o_proj.weight': 'attn_output.weight',
  'mlp.gate_proj.weight': 'ffn_gate.weight',
  'mlp.up_proj.weight': 'ffn_up.weight',
  'mlp.down_proj.weight': 'ffn_down.weight',
};
const kAlignment = 32;

const number = (type, value) => {
  const out = Buffer.alloc(type === 'u64' ? 8 : 4);
  if (type === 'u64') out.writeBigUInt64LE(BigInt(value));
  else if (type === 'f32') out.writeFloatLE(value);
  else out.writeUInt32LE(value);
  return out;
};
const u32 = (value) => number('u32', value), u64 = (value) => number('u64', value);
const text = (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const keyed = {
  u32: (value) => Buffer.concat([u32(4), u32(value)]),
  f32: (value) => Buffer.concat([u32(6), number('f32', value)]),
  u16: (value) => Buffer.concat([u32(2), u32(value).subarray(0, 2)]),
  text: (value) => Buffer.concat([u32(8), text(value)]),
  texts: (values) => Buffer.concat([u32(9), u32(8), u64(values.length), ...values.map(text)]),
  i32s: (values) => Buffer.concat([u32(9), u32(5), u64(values.length), ...values.map(u32)]),
};

function ggufMetadata() {
  const { model, added_tokens } = JSON.parse(read('tokenizer.json'));
  const tokens = Object.entries(model.vocab).sort((a, b) => a[1] - b[1]).map(([token]) => token);
  const types = tokens.map(() => 1);
  for (const { id, content } of added_tokens) {
    tokens[id] = content;
    types[id] = 3; // control
  }
  return {
    'general.architecture': keyed.text('llama'),
    'llama.context_length': keyed.u32(config.max_position_embeddings),
    'llama.embedding_length': keyed.u32(config.hidden_size),
    'llama.block_count': keyed.u32(config.num_hidden_layers),
    'llama.feed_forward_length': keyed.u32(config.intermediate_size),
    'llama.attention.head_count': keyed.u32(config.num_attention_heads),
    'llama.attention.head_count_kv': keyed.u32(config.num_key_value_heads),
    'llama.attention.layer_norm_rms_epsilon': keyed.f32(config.rms_norm_eps),
    'llama.rope.dimension_count': keyed.u32(config.head_dim),
    'llama.rope.freq_base': keyed.f32(config.rope_theta),
    'tokenizer.ggml.model': keyed.text('gpt2'),
    'tokenizer.ggml.pre': keyed.text('qwen2'), // whose pattern is the starter's
    'tokenizer.ggml.tokens': keyed.texts(tokens),
    'tokenizer.ggml.token_type': keyed.i32s(types),
    'tokenizer.ggml.merges': keyed.texts(model.merges.map((pair) => (Array.isArray(pair) ? pair.join(' ') : pair))),
    'tokenizer.ggml.bos_token_id': keyed.u32(config.bos_token_id),
    'tokenizer.ggml.eos_token_id': keyed.u32(config.eos_token_id),
    'tokenizer.chat_template': keyed.text(JSON.parse(read('tokenizer_config.json')).chat_template),
  };
}

/** llama.cpp turns neighbours where Hugging Face turns halves: the rows of a head in that order. */
function interleaved(bytes, heads) {
  const rowBytes = bytes.length / (heads * config.head_dim), half = config.head_dim / 2;
  const rows = [];
  for (let row = 0; row < heads * config.head_dim; row++) {
    const head = Math.floor(row / config.head_dim), i = row % config.head_dim;
    const from = head * config.head_dim + (i % 2) * half + Math.floor(i / 2);
    rows.push(bytes.subarray(from * rowBytes, (from + 1) * rowBytes));
  }
  return Buffer.concat(rows);
}

function ggufTensor({ name, shape, bytes }) {
  const [, layer, inner] = /^model\.layers\.(\d+)\.(.*)$/.exec(name) ?? [];
  const type = shape.length === 1 ? 'F32' : 'F16';
  let values = converted(bytes, type);
  if (/q_proj/.test(name)) values = interleaved(values, config.num_attention_heads);
  if (/k_proj/.test(name)) values = interleaved(values, config.num_key_value_heads);
  return {
    name: layer ? `blk.${layer}.${kGgufNames[inner]}` : kGgufNames[name],
    dims: [...shape].reverse(),
    type: type === 'F32' ? 0 : 1,
    bytes: values,
  };
}

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((kAlignment - (bytes.length % kAlignment)) % kAlignment)]);

function ggufFile(metadata, ggufTensors) {
  let at = 0;
  const infos = ggufTensors.map(({ name, dims, type, bytes }) => {
    const info = [text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(at)];
    at += padded(bytes).length;
    return Buffer.concat(info);
  });
  const pairs = Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), value]));
  const head = [Buffer.from('GGUF'), u32(3), u64(infos.length), u64(pairs.length), ...pairs, ...infos];
  return Buffer.concat([padded(Buffer.concat(head)), ...ggufTensors.map(({ bytes }) => padded(bytes))]);
}

/** One GGUF file, whose matrices are all f16. */
export function gguf(name = 'starter-f16.gguf', metadata = {}) {
  return new Map([[name, ggufFile({ ...ggufMetadata(), ...metadata }, tensors.map(ggufTensor))]]);
}

/** One with divisors of rotary frequencies, all 1, as Llama 3.2 has them: behind all weights, megabytes from the header. */
export function ggufWithDivisors() {
  const divisors = new Float32Array(config.head_dim / 2).fill(1);
  const last = { name: 'rope_freqs.weight', dims: [divisors.length], type: 0, bytes: Buffer.from(divisors.buffer) };
  return new Map([['starter-divisors.gguf', ggufFile(ggufMetadata(), [...tensors.map(ggufTensor), last])]]);
}

/** The same in two parts. */
export function ggufParts() {
  const split = (no) => ({
    'split.no': keyed.u16(no),
    'split.count': keyed.u16(2),
    'split.tensors.count': keyed.u32(tensors.length),
  });
  return new Map(
    halves.map((half, no) => [
      `starter-0000${no + 1}-of-00002.gguf`,
      ggufFile({ ...(no === 0 ? ggufMetadata() : {}), ...split(no) }, half.map(ggufTensor)),
    ]),
  );
}

// --- MLC, as mlc_llm convert_weight writes it without quantising (q0f16)

export function mlc() {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const joined = (names) => {
    const all = names.map((name) => byName.get(name));
    const shape = [all.reduce((rows, tensor) => rows + tensor.shape[0], 0), ...all[0].shape.slice(1)];
    return { shape, bytes: converted(Buffer.concat(all.map(({ bytes }) => bytes)), 'F16') };
  };
  const all = [];
  for (const { name } of tensors) {
    const prefix = name.replace(/[^.]*\.weight$/, '');
    if (/q_proj/.test(name)) {
      all.push({ name: `${prefix}qkv_proj.weight`, ...joined(['q', 'k', 'v'].map((p) => `${prefix}${p}_proj.weight`)) });
    } else if (/gate_proj/.test(name)) {
      all.push({ name: `${prefix}gate_up_proj.weight`, ...joined(['gate', 'up'].map((p) => `${prefix}${p}_proj.weight`)) });
    } else if (!/[kv]_proj|up_proj/.test(name)) {
      all.push({ name, ...joined([name]) });
    }
  }
  const files = new Map(texts(['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']));
  const records = [];
  for (const [no, half] of [all.slice(0, 20), all.slice(20)].entries()) {
    const dataPath = `params_shard_${no}.bin`;
    const bytes = Buffer.concat(half.map((tensor) => tensor.bytes));
    let byteOffset = 0;
    const inner = half.map(({ name, shape, bytes: { length: nbytes } }) => {
      byteOffset += nbytes;
      return { name, shape, dtype: 'float16', format: 'raw', nbytes, byteOffset: byteOffset - nbytes };
    });
    const md5sum = createHash('md5').update(bytes).digest('hex');
    records.push({ dataPath, format: 'raw-shard', nbytes: bytes.length, md5sum, records: inner });
    files.set(dataPath, bytes);
  }
  files.set('ndarray-cache.json', json({ metadata: {}, records }));
  const { max_position_embeddings: context_window_size, rope_theta: position_embedding_base } = config;
  files.set('mlc-chat-config.json', json({
    model_type: 'llama',
    quantization: 'q0f16',
    model_config: { ...config, context_window_size, position_embedding_base },
    vocab_size: config.vocab_size,
    context_window_size,
    bos_token_id: config.bos_token_id,
    eos_token_id: config.eos_token_id,
  }));
  return files;
}
