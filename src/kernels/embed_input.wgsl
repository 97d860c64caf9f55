// embed_input: x[n] = scale * weight[token_ids[0],n]; next[n] = x[n] * gamma[n]
//
//   binding  name       type         shape              access
//   0        token_ids  u32          [1]                read
//   1        weight     weight_word  [n_ids, next_dim]  read   the embeddings of first_id..
//   2        gamma      vec4f        [next_dim]         read   the weight of the norm to come
//   3        x          vec4f        [next_dim]         write  if such an id is asked for, as is next
//   4        next       u32          [next_dim]         write  as lib/store_input.wgsl leaves it
//   5        params     Params                          uniform
//
//   dispatch   (ceil(next_dim / 8 / workgroup_size), 1, 1): a lane takes eight values
//   requires   next_dim % 8 == 0 (next in 8 bits: % 32 == 0); a weight in parts takes a dispatch for each
//   numerics   x as embed.wgsl has it, next checked against reference/input.cpp
//   cost       reads two vectors, writes two; latency-bound
//
// A sum of squares for each eight values lies behind next; from them the reader takes the norm's factor.
//
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// uses: lib/weight_{weight}.wgsl
// uses: lib/store_input.wgsl

struct Params {
  in_dim4: u32,       // next_dim / 4
  next_dim: u32,
  scale: f32,         // 1; Gemma: sqrt(next_dim)
  first_id: u32,      // the first of this part's embeddings
  n_ids: u32,
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> token_ids: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> next: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn embed_input(@builtin(global_invocation_id) place: vec3u) {
  let block = place.x;
  let id = token_ids[0] - params.first_id;  // an earlier part's id wraps around
  if (id >= params.n_ids || 8 * block >= params.next_dim) {
    return;
  }
  let a = params.scale * weight4(id, 2 * block);
  let b = params.scale * weight4(id, 2 * block + 1);
  x[2 * block] = a;
  x[2 * block + 1] = b;
  store_squares(block, dot(a, a) + dot(b, b));
  store8(block, a * gamma[2 * block], b * gamma[2 * block + 1]);
}
