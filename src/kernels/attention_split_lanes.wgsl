// attention_split_lanes: what attention_split.wgsl does, each lane by itself
//
//   binding  name        type     shape                                          access
//   0        qkv         f32      [row_dim]                                      read
//   1        positions   u32      [1]                                            read
//   2        cos_sin     vec2f    [max_positions, rope_dim/2]                    read
//   3        q_weight    f32      [head_dim]                                     read   any buffer
//   4        k_weight    f32      [head_dim]                                     read   where norms is 0
//   5        page_table  u32      [n_pages]                                      read
//   6        kv          kv_word  [n_pages, 2, n_kv_heads, page_size, head_dim]  read_write
//   7        spans       vec4f    [n_spans, n_heads, 4 + head_dim]               read_write  max, sum, two unused; values
//   8        params      Params                                                  uniform
//
//   dispatch   (ceil(n_heads / workgroup_size), spans of the slab + 1, 1): a lane takes a span of one query
//              head; spans that the row does not see are left alone
//   requires   head_dim % 4 == 0, a row holds query heads, key heads, value heads
//   numerics   f32; with attention_combine.wgsl checked as attention_split.wgsl is
//   cost       reads a query again for every four keys, and keys and values for each query head
//
// For software adapters, on which workgroup memory and barriers cost more than reading again. Spans and
// slabs: as in attention_split.wgsl. A query waits where its values will lie. The first lane of a KV head
// appends the row's own key and value, then attends to them with all query heads that share them. Sizes are
// parameters: drivers unroll loops over constants, and compile for seconds.
//
// variants: kv = f32 | f16 | int8
// uses: lib/append_lane_{kv}.wgsl
// uses: lib/weigh_keys.wgsl

struct Params {
  n_heads: u32,
  n_kv_heads: u32,
  head_dim4: u32,   // head_dim / 4
  half_dim: u32,    // rope_dim / 2
  norms: u32,       // 1: of queries and keys
  scale: f32,
  window: u32,      // keys a row sees, its own included; 0: all
  softcap: f32,     // 0: none
  first: u32,       // the slab holds the positions from here, a multiple of a span
  end: u32,         // to before here
  eps: f32,         // of the norms
}

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> cos_sin: array<vec2f>;
@group(0) @binding(3) var<storage, read> q_weight: array<f32>;
@group(0) @binding(4) var<storage, read> k_weight: array<f32>;
@group(0) @binding(5) var<storage, read> page_table: array<u32>;
@group(0) @binding(6) var<storage, read_write> kv: array<kv_word>;
@group(0) @binding(7) var<storage, read_write> spans: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

override workgroup_size: u32 = 8;

const span_size = 64u;

// Vec4 number d of the value that begins at `at`.
fn value4(at: u32, d: u32) -> vec4f {
  let i = at + 4 * d;
  return vec4f(qkv[i], qkv[i + 1], qkv[i + 2], qkv[i + 3]);
}

// Of the query or key that prepare left at `at`.
fn prepared4(at: u32, d: u32) -> vec4f {
  return spans[at + d];
}

// Value d of the head that begins at `at`, times its norm's weight.
fn weighted(at: u32, d: u32, is_key: bool) -> f32 {
  if (params.norms == 0) {
    return qkv[at + d];
  }
  return qkv[at + d] * select(q_weight[d], k_weight[d], is_key);
}

// Normalises and rotates head `head` of the row to where a head's values lie in spans. Pairs lie half_dim
// apart; what lies behind them stays.
fn prepare(head: u32, position: u32, to: u32) {
  let head_dim = 4 * params.head_dim4;
  let at = head * head_dim;
  let is_key = head >= params.n_heads;
  var factor = 1.0;
  if (params.norms == 1) {
    var squares = 0.0;
    for (var d = 0u; d < head_dim; d++) {
      squares += qkv[at + d] * qkv[at + d];
    }
    factor = inverseSqrt(squares / f32(head_dim) + params.eps);
  }
  for (var d = 0u; d < head_dim; d++) {
    var value = weighted(at, d, is_key);
    if (d < 2 * params.half_dim) {
      let is_first = d < params.half_dim;
      let pair = select(d - params.half_dim, d, is_first);
      let rotation = cos_sin[position * params.half_dim + pair];
      let other = weighted(at, select(pair, pair + params.half_dim, is_first), is_key);
      value = value * rotation.x + select(other, -other, is_first) * rotation.y;
    }
    spans[to + d / 4][d % 4] = factor * value;
  }
}

// Where what a span leaves of a head begins.
fn span_at(span: u32, head: u32) -> u32 {
  return (span * params.n_heads + head) * (1 + params.head_dim4);
}

fn attend(span: u32, head: u32, kv_head: u32, keys: Keys, position: u32) {
  let at = span_at(span, head);
  prepare(head, position, at + 1);
  let found = weigh_keys(at + 1, kv_head, keys);
  for (var d = 0u; d < params.head_dim4; d++) {
    spans[at + 1 + d] = weighted_value4(kv_head, keys, d);
  }
  spans[at] = vec4f(found.largest, found.total, 0, 0);
}

@compute @workgroup_size(workgroup_size)
fn attention_split_lanes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n_groups: vec3u) {
  let head = id.x;
  if (head >= params.n_heads) {
    return;
  }
  let q_per_kv = params.n_heads / params.n_kv_heads;
  let kv_head = head / q_per_kv;
  let position = positions[0];
  let first_key = params.first + id.y * span_size;
  let first_seen = select(0, position + 1 - params.window, params.window > 0 && position + 1 > params.window);
  let is_seen = first_key < position && first_key + span_size > first_seen;
  let appends = head % q_per_kv == 0 && position >= params.first && position < params.end;
  let is_own = id.y == n_groups.y - 1;
  if (!select(is_seen, appends, is_own)) {
    return;
  }

  var span = first_key / span_size;
  var keys = Keys(max(first_key, first_seen), min(first_key + span_size, position));
  var end_head = head + 1;
  if (is_own) {
    span = (position + span_size - 1) / span_size;
    keys = Keys(position, position + 1);
    end_head = head + q_per_kv;
    let key_at = span_at(span, head) + 1;
    prepare(params.n_heads + kv_head, position, key_at);
    append_lane(page_table[position / page_size], position % page_size, kv_head, key_at,
                4 * (params.n_heads + params.n_kv_heads + kv_head) * params.head_dim4);
  }
  for (var h = head; h < end_head; h++) {
    attend(span, h, kv_head, keys, position);
  }
}
