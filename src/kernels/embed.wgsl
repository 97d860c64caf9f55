// embed: x[r,:] = scale * weight[token_ids[r],:]
//
//   binding  name       type         shape              access
//   0        token_ids  u32          [rows]             read
//   1        weight     weight_word  [n_ids, in_dim]    read   the embeddings of first_id..
//   2        x          vec4f        [rows, in_dim]     write  of the rows with such an id
//   3        params     Params                          uniform
//
//   dispatch   (rows, 1, 1): one workgroup copies one row
//   requires   in_dim % 4 == 0; a weight in parts takes a dispatch for each
//   numerics   where scale is 1, exactly the values of formats/quantised.h, bit for bit
//   cost       reads rows * in_dim weights, writes rows * in_dim floats
//
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// uses: lib/weight_{weight}.wgsl

struct Params {
  in_dim4: u32,       // in_dim / 4
  scale: f32,         // 1; Gemma: sqrt(in_dim)
  first_id: u32,      // the first of this part's embeddings
  n_ids: u32,
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> token_ids: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn embed(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let id = token_ids[row] - params.first_id;  // an earlier part's id wraps around
  if (id >= params.n_ids) {
    return;
  }
  for (var i = lane; i < params.in_dim4; i += workgroup_size) {
    x[row * params.in_dim4 + i] = params.scale * weight4(id, i);
  }
}
