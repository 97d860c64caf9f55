// rope_append: normalises and rotates the heads of one row of qkv; appends keys and values to the cache
//
//   binding  name        type     shape                                          access
//   0        positions   u32      [1]                                            read
//   1        cos_sin     vec2f    [max_positions, rope_dim/2]                    read
//   2        q_weight    f32      [head_dim]                                     read   any buffer
//   3        k_weight    f32      [head_dim]                                     read   where norms is 0
//   4        page_table  u32      [n_pages]                                      read
//   5        qkv         f32      [row_dim]                                      read_write
//   6        kv          packed4  [n_pages, 2, n_kv_heads, page_size, head_dim]  write
//   7        params      Params                                                  uniform
//
//   dispatch   (n_heads + n_kv_heads, 1, 1): one workgroup takes a query head, or a key head and its
//              value head
//   requires   head_dim % 4 == 0, head_dim <= 256; a row holds query heads, key heads, value heads
//   numerics   as qk_norm.wgsl, rope.wgsl and kv_append.wgsl, one after the other; checked against
//              reference/qk_norm.cpp, reference/rope.cpp and reference/kv_append.cpp
//   cost       reads and writes a row; latency-bound
//
// kv is the slab that holds the position.
//
// variants: kv = f32 | f16 | int8
// variants: reduce = tree | subgroup
// uses: lib/append_{kv}.wgsl
// uses: lib/reduce_{reduce}.wgsl

struct Params {
  n_heads: u32,
  n_kv_heads: u32,
  head_dim4: u32,  // head_dim / 4
  half_dim: u32,   // rope_dim / 2
  norms: u32,      // 1: RMSNorm of each query and key head
  eps: f32,
}

@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> cos_sin: array<vec2f>;
@group(0) @binding(2) var<storage, read> q_weight: array<f32>;
@group(0) @binding(3) var<storage, read> k_weight: array<f32>;
@group(0) @binding(4) var<storage, read> page_table: array<u32>;
@group(0) @binding(5) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(6) var<storage, read_write> kv: array<packed4>;
@group(0) @binding(7) var<uniform> params: Params;

const workgroup_size = 64u;

var<workgroup> normed: array<f32, 256>;  // head_dim of them used

// Value i of a head after the rotation. Pairs lie half_dim apart; what lies behind them stays.
fn rotated(position: u32, i: u32) -> f32 {
  if (i >= 2 * params.half_dim) {
    return normed[i];
  }
  let pair = i % params.half_dim;
  let rotation = cos_sin[position * params.half_dim + pair];
  let a = normed[pair];
  let b = normed[pair + params.half_dim];
  return select(b * rotation.x + a * rotation.y, a * rotation.x - b * rotation.y, i < params.half_dim);
}

@compute @workgroup_size(workgroup_size)
fn rope_append(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let is_query = head < params.n_heads;
  let position = positions[0];
  let i = 4 * lane;
  let is_mine = lane < params.head_dim4;
  let at = 4 * head * params.head_dim4 + i;

  var values = vec4f();
  if (is_mine) {
    values = vec4f(qkv[at], qkv[at + 1], qkv[at + 2], qkv[at + 3]);
  }
  if (params.norms == 1) {
    let mean = workgroup_sum(dot(values, values), lane) / f32(4 * params.head_dim4);
    if (is_mine) {
      let k = vec4f(k_weight[i], k_weight[i + 1], k_weight[i + 2], k_weight[i + 3]);
      let q = vec4f(q_weight[i], q_weight[i + 1], q_weight[i + 2], q_weight[i + 3]);
      values *= inverseSqrt(mean + params.eps) * select(k, q, is_query);
    }
  }
  if (is_mine) {
    for (var j = 0u; j < 4u; j++) {
      normed[i + j] = values[j];
    }
  }
  workgroupBarrier();
  if (is_mine) {
    for (var j = 0u; j < 4u; j++) {
      values[j] = rotated(position, i + j);
    }
  }

  if (is_query) {
    if (is_mine) {
      for (var j = 0u; j < 4u; j++) {
        qkv[at + j] = values[j];
      }
    }
    return;
  }
  var value = vec4f();
  if (is_mine) {
    let value_at = at + 4 * params.n_kv_heads * params.head_dim4;
    value = vec4f(qkv[value_at], qkv[value_at + 1], qkv[value_at + 2], qkv[value_at + 3]);
  }
  append(page_table[position / page_size], position % page_size, head - params.n_heads,
         params.n_kv_heads, params.head_dim4, lane, values, value);
}
