// attention_split: of each span of 64 keys, max(s), sum(exp(s - max)) and exp(s - max) V, with
//                  s = cap(scale * q . K), for one row and each query head
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [row_dim]                                      read
//   1        positions   u32      [1]                                            read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          packed4  [n_pages, 2, n_kv_heads, page_size, head_dim]  read
//   4        softmax     vec2f    [n_spans, n_heads]                             write  max and sum
//   5        values      vec4f    [n_spans, n_heads, head_dim]                   write
//   6        params      Params                                                  uniform
//
//   dispatch   (n_kv_heads * n_passes, spans of the slab, 1): one workgroup takes a span and up to four
//              query heads that share a KV head; spans that the row does not see are left alone
//   requires   head_dim % 4 == 0, head_dim <= 256, the row's key appended already; workgroup_size 64,
//              128 or 256, heads_per_pass 1, 2 or 4
//   numerics   f32; with attention_combine.wgsl checked against reference/attention.cpp
//   cost       reads each key and value once for heads_per_pass heads: bandwidth-bound in long contexts
//
// kv is one slab of a cache; slabs begin at multiples of a span, so where a cache is cut changes
// no bit. Source of the split: Dao et al., "Flash-Decoding for long-context inference" (2023).
//
// variants: kv = f32 | f16 | int8
// variants: reduce = tree | subgroup
// uses: lib/kv_{kv}.wgsl
// uses: lib/team_{reduce}.wgsl
// uses: lib/tanh.wgsl

struct Params {
  n_heads: u32,
  n_kv_heads: u32,
  head_dim4: u32,   // head_dim / 4
  scale: f32,
  window: u32,      // keys a row sees, its own included; 0: all
  softcap: f32,     // 0: none
  first: u32,       // the slab holds the positions from here, a multiple of a span
}

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read> kv: array<packed4>;
@group(0) @binding(4) var<storage, read_write> softmax: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

override workgroup_size: u32 = 256;
override heads_per_pass: u32 = 4;
override rounds: u32 = 1;  // that the teams take for heads_per_pass heads

const span_size = 64u;
const least = -3.0e38;

// Of each head and key: scores, then their weights.
var<workgroup> weights: array<f32, heads_per_pass * span_size>;
var<workgroup> value_row: array<u32, 64>;  // where each key's value starts in kv
var<workgroup> value_scale: array<f32, 64>;
// Of every lane: its share of a key's scores for each head; later its share of two heads' values.
var<workgroup> partial: array<vec4f, 2 * workgroup_size>;

@compute @workgroup_size(workgroup_size)
fn attention_split(@builtin(workgroup_id) group: vec3u,
                   @builtin(local_invocation_index) lane: u32) {
  let kv_head = group.x % params.n_kv_heads;
  let q_per_kv = params.n_heads / params.n_kv_heads;
  let first_head = kv_head * q_per_kv + group.x / params.n_kv_heads * heads_per_pass;
  let n_heads_here = min(heads_per_pass, (kv_head + 1) * q_per_kv - first_head);

  // A few neighbouring lanes share a key. Its page is asked for before it is known whether it is seen.
  let lanes_per_key = workgroup_size / span_size;
  let my_key = lane / lanes_per_key;
  let first_key = params.first + group.y * span_size;
  let slot = (first_key + my_key) % page_size;
  let page = page_table[min((first_key + my_key) / page_size, arrayLength(&page_table) - 1)];
  let n_keys = positions[0] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  if (first_key >= n_keys || first_key + span_size <= first_seen) {
    return;
  }
  let begin = max(first_key, first_seen) - first_key;  // of the keys that are seen, within the span
  let end = min(span_size, n_keys - first_key);

  // Scores: each lane takes every few-th vec4 of its key. What was never written may be anything.
  let key_row = page * page_stride(params.n_kv_heads, params.head_dim4) +
                (kv_head * page_size + slot) * params.head_dim4;
  let scales = kv_scales(page, kv_head, slot, params.n_kv_heads, params.head_dim4);
  let q = vec4u(first_head) + min(vec4u(0, 1, 2, 3), vec4u(n_heads_here - 1));
  var scores = vec4f();
  for (var start = lane % lanes_per_key; start < params.head_dim4; start += 8 * lanes_per_key) {
    for (var j = 0u; j < 8u; j++) {  // a constant count, so that eight loads are under way at once
      let i = start + j * lanes_per_key;
      if (i < params.head_dim4) {
        let key = unpack4(kv[key_row + i]);
        scores.x += dot(qkv[q.x * params.head_dim4 + i], key);
        if (heads_per_pass > 1) {
          scores.y += dot(qkv[q.y * params.head_dim4 + i], key);
        }
        if (heads_per_pass > 2) {
          scores.z += dot(qkv[q.z * params.head_dim4 + i], key);
          scores.w += dot(qkv[q.w * params.head_dim4 + i], key);
        }
      }
    }
  }
  partial[lane] = scores * (scales.x * params.scale);
  if (lane % lanes_per_key == 0) {
    value_row[my_key] = key_row + params.n_kv_heads * page_size * params.head_dim4;
    value_scale[my_key] = scales.y;
  }
  workgroupBarrier();

  // Softmax: a team takes a head. Every team runs the same number of rounds, so that it may hold a
  // barrier; what a lane leaves in weights it reads again itself.
  let span = first_key / span_size;
  let team = team_of(lane);
  for (var round = 0u; round < rounds; round++) {
    let h = round * team.count + team.index;
    let n_mine = select(0, span_size, h < heads_per_pass);
    var largest_here = least;
    for (var k = team.lane; k < n_mine; k += team.size) {
      var score = least;
      if (k >= begin && k < end) {
        score = 0.0;
        for (var i = 0u; i < lanes_per_key; i++) {
          score += partial[k * lanes_per_key + i][h];
        }
        if (params.softcap > 0.0) {
          score = soft_capped(score, params.softcap);
        }
      }
      weights[h * span_size + k] = score;
      largest_here = max(largest_here, score);
    }
    let largest = part_max(largest_here, lane);
    var total_here = 0.0;
    for (var k = team.lane; k < n_mine; k += team.size) {
      let weight = select(0.0, exp(weights[h * span_size + k] - largest), k >= begin && k < end);
      total_here += weight;
      weights[h * span_size + k] = weight * value_scale[k];
    }
    let total = part_sum(total_here, lane);
    if (team.lane == 0 && h < n_heads_here) {
      softmax[span * params.n_heads + first_head + h] = vec2f(largest, total);
    }
  }
  workgroupBarrier();

  // Values: a lane owns one vec4 of the head and every n_parts-th key.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;
  var sum_x = vec4f();
  var sum_y = vec4f();
  var sum_z = vec4f();
  var sum_w = vec4f();
  if (part < n_parts) {
    for (var start = begin + part; start < end; start += 4 * n_parts) {
      for (var j = 0u; j < 4u; j++) {  // a constant count, so that four loads are under way at once
        let k = start + j * n_parts;
        if (k < end) {
          let value = unpack4(kv[value_row[k] + dim]);
          sum_x += weights[k] * value;
          if (heads_per_pass > 1) {
            sum_y += weights[span_size + k] * value;
          }
          if (heads_per_pass > 2) {
            sum_z += weights[2 * span_size + k] * value;
            sum_w += weights[3 * span_size + k] * value;
          }
        }
      }
    }
  }
  for (var first = 0u; first < heads_per_pass; first += 2u) {
    if (first > 0) {
      workgroupBarrier();
    }
    partial[lane] = select(sum_z, sum_x, first == 0);
    partial[workgroup_size + lane] = select(sum_w, sum_y, first == 0);
    workgroupBarrier();
    let n_here = select(0, min(2, n_heads_here - first), first < n_heads_here);
    for (var i = lane; i < n_here * params.head_dim4; i += workgroup_size) {
      let h = i / params.head_dim4;
      var sum = vec4f();
      for (var p = 0u; p < n_parts; p++) {
        sum += partial[h * workgroup_size + p * params.head_dim4 + i % params.head_dim4];
      }
      values[(span * params.n_heads + first_head + first) * params.head_dim4 + i] = sum;
    }
  }
}
