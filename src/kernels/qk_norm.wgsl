// qk_norm: each query and key head of qkv[r,:] *= inverseSqrt(mean(head^2) + eps) * its weight
//
//   binding  name      type   shape            access
//   0        q_weight  vec4f  [head_dim]       read
//   1        k_weight  vec4f  [head_dim]       read
//   2        qkv       vec4f  [rows, row_dim]  read_write
//   3        params    Params                  uniform
//
//   dispatch   (n_heads + n_kv_heads, rows, 1): one workgroup normalises one head of one row
//   requires   head_dim % 4 == 0, workgroup_size a power of two; query heads, then key heads
//   numerics   f32 sum; checked against reference/qk_norm.cpp
//   cost       reads 2 and writes 1 times rows * (n_heads + n_kv_heads) * head_dim floats
//
// Source: Dehghani et al., "Scaling Vision Transformers to 22 Billion Parameters" (2023).
//
// variants: reduce = tree | subgroup
// uses: lib/reduce_{reduce}.wgsl

struct Params {
  n_heads: u32,    // query heads
  head_dim4: u32,  // head_dim / 4
  row_dim4: u32,   // vec4s from one row of qkv to the next
  eps: f32,
}

@group(0) @binding(0) var<storage, read> q_weight: array<vec4f>;
@group(0) @binding(1) var<storage, read> k_weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> qkv: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 32;

@compute @workgroup_size(workgroup_size)
fn qk_norm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let first = group.y * params.row_dim4 + head * params.head_dim4;

  var sum = 0.0;
  for (var i = lane; i < params.head_dim4; i += workgroup_size) {
    sum += dot(qkv[first + i], qkv[first + i]);
  }
  let total = workgroup_sum(sum, lane);

  let scale = inverseSqrt(total / f32(4 * params.head_dim4) + params.eps);
  for (var i = lane; i < params.head_dim4; i += workgroup_size) {
    let weight = select(k_weight[i], q_weight[i], head < params.n_heads);
    qkv[first + i] *= scale * weight;
  }
}
