// project_qkv: qkv = scale * W input + bias, queries and keys rotated; keys and values go to the cache
//
//   binding  name        type         shape                                          access
//   0        input       vec4u        [in_dim]                                       read
//   1        weight      weight_word  [n_heads_here * head_dim, in_dim]              read
//   2        bias        f32          [row_dim]                                      read
//   3        positions   u32          [1]                                            read
//   4        cos_sin     vec2f        [max_positions, rope_dim/2]                    read
//   5        page_table  u32          [n_pages]                                      read
//   6        queries     f32          [n_heads * head_dim]                           write
//   7        kv          packed2      [n_pages, 2, n_kv_heads, page_size, head_dim]  write
//   8        params      Params                                                      uniform
//
//   dispatch   (n_heads_here * head_dim/16, 1, 1): eight pairs of outputs a workgroup, so that what
//              is rotated together is computed together; teams as in project.wgsl
//   requires   in_dim % 8 == 0 (act int8: % 32 == 0), head_dim % 16 == 0, rope_dim % 4 == 0,
//              workgroup_size a power of two, at least 8
//   numerics   as project.wgsl, rope.wgsl and kv_append.wgsl, one after the other; checked against
//              reference/matmul.cpp, reference/rope.cpp and reference/kv_append.cpp
//   cost       reads every weight once: bandwidth-bound
//
// input lies as lib/store_input.wgsl leaves it; bias is any buffer where has_bias is 0. weight holds
// whole heads, from first_head on: query heads, key heads, value heads. kv is the slab that holds the
// position.
//
// variants: page = f32 | f16
// variants: act = f32 | f16 | int8
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// only: act = int8: weight = q4_0 | q8_0 | q4_k | q6_k | mlc_q4
// only: act = f16: weight = f16 | q4_0 | mlc_q4
// uses: lib/input_{act}.wgsl
// uses: lib/input_scale_{reduce}.wgsl
// uses: lib/packed2_{page}.wgsl
// uses: lib/row_sums.wgsl

struct Params {
  in_dim4: u32,      // in_dim / 4
  first_head: u32,   // of this part of the weight, among all heads
  n_heads: u32,
  n_kv_heads: u32,
  head_dim: u32,
  half_dim: u32,     // rope_dim / 2
  has_bias: u32,
  n_sums: u32,       // sums of squares behind the input; 0: no norm
  eps: f32,
  scales_at: u32,    // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,       // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> input: array<vec4u>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> positions: array<u32>;
@group(0) @binding(4) var<storage, read> cos_sin: array<vec2f>;
@group(0) @binding(5) var<storage, read> page_table: array<u32>;
@group(0) @binding(6) var<storage, read_write> queries: array<f32>;
@group(0) @binding(7) var<storage, read_write> kv: array<packed2>;
@group(0) @binding(8) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override rows_at_once: u32 = 2;  // of a team, in pairs: 2 or 4

const n_pairs = 8u;     // of a workgroup
const rows_per_workgroup = 2 * n_pairs;
const page_size = 16u;  // tokens

var<workgroup> rotated: array<vec2f, 8>;

// The two dimensions of a head that pair i is made of: those that are rotated together, then what lies
// behind the rotated ones.
fn dims_of(i: u32) -> vec2u {
  if (i < params.half_dim) {
    return vec2u(i, i + params.half_dim);
  }
  return vec2u(i + params.half_dim, i + params.head_dim / 2);
}

fn rows_from(group: u32, i: u32) -> vec4u {
  let pair = group * n_pairs + i / 2;
  let first_row = pair / (params.head_dim / 2) * params.head_dim;
  let in_head = pair % (params.head_dim / 2);
  return first_row + vec4u(dims_of(in_head), dims_of(in_head + 1));
}

@compute @workgroup_size(workgroup_size)
fn project_qkv(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let squares = squares_here(lane, n_pairs);
  let position = positions[0];
  let first_pair = group.x * n_pairs % (params.head_dim / 2);
  let head = params.first_head + group.x * n_pairs / (params.head_dim / 2);

  // What a lane needs in the end is asked for early.
  let dims = dims_of(first_pair + lane);
  var offset = vec2f();
  var rotation = vec2f(1, 0);
  if (lane < n_pairs) {
    if (params.has_bias == 1) {
      offset = vec2f(bias[head * params.head_dim + dims.x], bias[head * params.head_dim + dims.y]);
    }
    if (first_pair + lane < params.half_dim && head < params.n_heads + params.n_kv_heads) {
      rotation = cos_sin[position * params.half_dim + first_pair + lane];
    }
  }
  let page = page_table[position / page_size];

  sum_rows(group.x, rows_per_workgroup, lane);
  let scale = input_scale(squares, lane);
  workgroupBarrier();

  if (lane < n_pairs) {
    let p = scale * vec2f(row_sum(2 * lane), row_sum(2 * lane + 1)) + offset;
    rotated[lane] = vec2f(p.x * rotation.x - p.y * rotation.y, p.y * rotation.x + p.x * rotation.y);
    if (head < params.n_heads) {
      queries[head * params.head_dim + dims.x] = rotated[lane].x;
      queries[head * params.head_dim + dims.y] = rotated[lane].y;
    }
  }
  workgroupBarrier();

  // Two neighbouring pairs hold two neighbouring values twice.
  if (head >= params.n_heads && lane < n_pairs / 2) {
    let side_head = head - params.n_heads;  // keys, then values
    let at = (page * 2 * params.n_kv_heads + side_head) * page_size + position % page_size;
    let both = dims_of(first_pair + 2 * lane);
    let a = rotated[2 * lane];
    let b = rotated[2 * lane + 1];
    kv[(at * params.head_dim + both.x) / 2] = pack2(vec2f(a.x, b.x));
    kv[(at * params.head_dim + both.y) / 2] = pack2(vec2f(a.y, b.y));
  }
}
