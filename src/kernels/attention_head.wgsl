// attention_head: next[h,:] = softmax(cap(scale * q[h,:] . K[first..position])) V, of the row's queries, key and
//                 value [q | k | v][n] = input_scale * (sum over k of input[k] * weight[n,k]) + bias[n]
//
//   binding  name        type         shape                                          access
//   0        input       vec4u        [in_dim]                                       read   as lib/store_input.wgsl leaves it
//   1        weight      weight_word  [row_dim, in_dim]                              read   of query heads, key heads, value heads
//   2        bias        f32          [row_dim]                                      read   any buffer where has_bias is 0
//   3        positions   u32          [1]                                            read
//   4        cos_sin     vec2f        [max_positions, rope_dim/2]                    read
//   5        q_weight    f32          [head_dim]                                     read   any buffer
//   6        k_weight    f32          [head_dim]                                     read   where norms is 0
//   7        page_table  u32          [n_pages]                                      read
//   8        kv          kv_word      [n_pages, 2, n_kv_heads, page_size, head_dim]  read_write
//   9        next        u32          [n_heads * head_dim]                           write  as lib/store_input.wgsl leaves it
//   10       params      Params                                                      uniform
//
//   dispatch   (n_kv_heads, 1, 1): a workgroup takes a KV head and the query heads that share it
//   requires   head_dim % 8 == 0 (next in 8 bits: n_heads * head_dim % 32 == 0), one slab; of the input and
//              the workgroup as project.wgsl
//   numerics   f32 sums, those of the product as project.wgsl; online softmax over chunks of 64 keys in each
//              part; checked against reference/matmul.cpp and reference/attention.cpp
//   cost       three dispatches in one, but as few workgroups as there are KV heads
//
// For software adapters, on which a dispatch costs more than cores that wait: what project.wgsl,
// attention_split_lanes.wgsl and attention_combine.wgsl do one after the other. Each lane takes a part of the
// keys with one query head. Sizes are parameters: drivers unroll loops over constants, and compile for
// seconds.
//
// variants: act = f32 | f16 | int8
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// variants: kv = f32 | f16 | int8
// only: act = f32 | f16
// only: weight = f32 | f16 | bf16
// only: act = f16: weight = f16
// uses: lib/input_{act}.wgsl
// uses: lib/input_scale_{reduce}.wgsl
// uses: lib/row_sums.wgsl
// uses: lib/append_lane_{kv}.wgsl
// uses: lib/weigh_keys.wgsl
// uses: lib/store_input.wgsl

struct Params {
  in_dim4: u32,     // in_dim / 4
  has_bias: u32,
  n_sums: u32,      // sums of squares behind the input; 0: no norm
  eps: f32,         // of all norms
  n_kv_heads: u32,
  head_dim4: u32,   // head_dim / 4
  half_dim: u32,    // rope_dim / 2
  norms: u32,       // 1: of queries and keys
  scale: f32,
  window: u32,      // keys a row sees, its own included; 0: all
  softcap: f32,     // 0: none
  next_dim: u32,    // n_heads * head_dim
  scales_at: u32,   // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,      // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> input: array<vec4u>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> positions: array<u32>;
@group(0) @binding(4) var<storage, read> cos_sin: array<vec2f>;
@group(0) @binding(5) var<storage, read> q_weight: array<f32>;
@group(0) @binding(6) var<storage, read> k_weight: array<f32>;
@group(0) @binding(7) var<storage, read> page_table: array<u32>;
@group(0) @binding(8) var<storage, read_write> kv: array<kv_word>;
@group(0) @binding(9) var<storage, read_write> next: array<u32>;
@group(0) @binding(10) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override rows_at_once: u32 = 1;  // of a team: 1 or 4
override q_per_kv: u32 = 1;                // query heads of a workgroup
override outputs_per_workgroup: u32 = 24;  // (q_per_kv + 2) * head_dim
override rows_per_workgroup: u32 = outputs_per_workgroup;
override n_parts: u32 = 8;      // of the keys, for each query head
override head_values: u32 = 2;  // head_dim / 4, for sizes alone

// The workgroup's heads: queries, then its key, then its value.
var<workgroup> row: array<f32, outputs_per_workgroup>;

// What each part of the keys found for each query head.
var<workgroup> found: array<Found, q_per_kv * n_parts>;
var<workgroup> values: array<vec4f, q_per_kv * n_parts * head_values>;

// Four neighbouring rows of the weight, of head number i / head_dim of the workgroup.
fn rows_from(kv_head: u32, i: u32) -> vec4u {
  let head_dim = 4 * params.head_dim4;
  let h = i / head_dim;
  var head = kv_head * q_per_kv + h;
  if (h >= q_per_kv) {  // its key or its value, which lie behind all queries
    head = h * params.n_kv_heads + kv_head;
  }
  return head * head_dim + i % head_dim + vec4u(0, 1, 2, 3);
}

// Vec4 number d of the head that begins at `at`.
fn prepared4(at: u32, d: u32) -> vec4f {
  let i = at + 4 * d;
  return vec4f(row[i], row[i + 1], row[i + 2], row[i + 3]);
}

fn value4(at: u32, d: u32) -> vec4f {
  return prepared4(at, d);
}

// Value d of a query or a key, times its norm's weight.
fn weighted(at: u32, d: u32, is_key: bool) -> f32 {
  if (params.norms == 0) {
    return row[at + d];
  }
  return row[at + d] * select(q_weight[d], k_weight[d], is_key);
}

// Normalises and rotates head h. Pairs lie half_dim apart; what lies behind them stays where it is.
fn prepare(h: u32, position: u32) {
  let head_dim = 4 * params.head_dim4;
  let at = h * head_dim;
  let is_key = h == q_per_kv;
  var factor = 1.0;
  if (params.norms == 1) {
    var squares = 0.0;
    for (var d = 0u; d < head_dim; d++) {
      squares += row[at + d] * row[at + d];
    }
    factor = inverseSqrt(squares / f32(head_dim) + params.eps);
  }
  for (var d = 0u; d < params.half_dim; d++) {
    let rotation = cos_sin[position * params.half_dim + d];
    let a = weighted(at, d, is_key);
    let b = weighted(at, d + params.half_dim, is_key);
    row[at + d] = factor * (a * rotation.x - b * rotation.y);
    row[at + d + params.half_dim] = factor * (b * rotation.x + a * rotation.y);
  }
  for (var d = 2 * params.half_dim; d < head_dim; d++) {
    row[at + d] = factor * weighted(at, d, is_key);
  }
}

// Part number `part` of the keys, with query head h of the workgroup. What a part found so far is scaled down
// where a chunk holds a larger score.
fn attend(h: u32, part: u32, kv_head: u32, seen: Keys) {
  let fours = fours_of(seen);
  let in_part = (fours.end - fours.begin + n_parts - 1) / n_parts;
  let begin = max(seen.begin, 4 * (fours.begin + part * in_part));
  let end = min(seen.end, 4 * (fours.begin + (part + 1) * in_part));

  let place = h * n_parts + part;
  let values_at = place * params.head_dim4;
  var so_far = Found(least, 0);
  for (var d = 0u; d < params.head_dim4; d++) {
    values[values_at + d] = vec4f();
  }
  for (var first = begin; first < end; first = (first / 4 * 4) + most_keys) {
    let keys = Keys(first, min(end, first / 4 * 4 + most_keys));
    let here = weigh_keys(h * 4 * params.head_dim4, kv_head, keys);
    let largest = max(so_far.largest, here.largest);
    let kept = exp(so_far.largest - largest);
    let share = exp(here.largest - largest);
    for (var d = 0u; d < params.head_dim4; d++) {
      values[values_at + d] = kept * values[values_at + d] + share * weighted_value4(kv_head, keys, d);
    }
    so_far = Found(largest, kept * so_far.total + share * here.total);
  }
  found[place] = so_far;
}

// Eight values of query head h from what all parts found.
fn combine(h: u32, d8: u32, to: u32) {
  var largest = least;
  for (var part = 0u; part < n_parts; part++) {
    largest = max(largest, found[h * n_parts + part].largest);
  }
  var total = 0.0;
  var a = vec4f();
  var b = vec4f();
  for (var part = 0u; part < n_parts; part++) {
    let place = h * n_parts + part;
    let share = exp(found[place].largest - largest);
    total += share * found[place].total;
    a += share * values[place * params.head_dim4 + 2 * d8];
    b += share * values[place * params.head_dim4 + 2 * d8 + 1];
  }
  store8(to, a / total, b / total);
}

@compute @workgroup_size(workgroup_size)
fn attention_head(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let kv_head = group.x;
  let head_dim = 4 * params.head_dim4;
  let n_rows = (q_per_kv + 2) * head_dim;
  let position = positions[0];

  let squares = squares_here(lane, workgroup_size);
  sum_rows(kv_head, n_rows, lane);
  let scale = input_scale(squares, lane);
  workgroupBarrier();
  for (var i = lane; i < n_rows; i += workgroup_size) {
    let n = rows_from(kv_head, i).x;
    let offset = select(0.0, bias[select(0, n, params.has_bias == 1)], params.has_bias == 1);
    row[i] = scale * row_sum(i) + offset;
  }
  workgroupBarrier();

  for (var h = lane; h <= q_per_kv; h += workgroup_size) {
    prepare(h, position);
    if (h == q_per_kv) {
      let page = page_table[position / page_size];
      append_lane(page, position % page_size, kv_head, h * head_dim, (h + 1) * head_dim);
    }
  }
  workgroupBarrier();
  storageBarrier();

  let first_seen = select(0, position + 1 - params.window, params.window > 0 && position + 1 > params.window);
  for (var i = lane; i < q_per_kv * n_parts; i += workgroup_size) {
    attend(i / n_parts, i % n_parts, kv_head, Keys(first_seen, position + 1));
  }
  workgroupBarrier();

  let head_dim8 = params.head_dim4 / 2;
  for (var i = lane; i < q_per_kv * head_dim8; i += workgroup_size) {
    combine(i / head_dim8, i % head_dim8, kv_head * q_per_kv * head_dim8 + i);
  }
}
