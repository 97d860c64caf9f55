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
// uses: lib/reduce_{reduce}.wgsl
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

const span_size = 64u;
const least = -3.0e38;

var<workgroup> query: array<vec4f, 256>;     // [head_dim / 4, heads_per_pass]
var<workgroup> partial: array<vec4f, workgroup_size>;
var<workgroup> weights: array<vec4f, 64>;    // of each key for each head: exp(s - max) times scale
var<workgroup> value_row: array<u32, 64>;    // where each key's value starts in kv
var<workgroup> value_scale: array<f32, 64>;

@compute @workgroup_size(workgroup_size)
fn attention_split(@builtin(workgroup_id) group: vec3u,
                   @builtin(local_invocation_index) lane: u32) {
  let kv_head = group.x % params.n_kv_heads;
  let q_per_kv = params.n_heads / params.n_kv_heads;
  let first_head = kv_head * q_per_kv + group.x / params.n_kv_heads * heads_per_pass;
  let n_heads_here = min(heads_per_pass, (kv_head + 1) * q_per_kv - first_head);
  let n_keys = positions[0] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  let first_key = params.first + group.y * span_size;
  if (first_key >= n_keys || first_key + span_size <= first_seen) {
    return;
  }

  for (var i = lane; i < heads_per_pass * params.head_dim4; i += workgroup_size) {
    let head = min(i % heads_per_pass, n_heads_here - 1);
    query[i] = qkv[(first_head + head) * params.head_dim4 + i / heads_per_pass] * params.scale;
  }
  if (lane < span_size) {
    let key = first_key + lane;  // of a span that is seen, if not every key of it
    value_row[lane] = page_table[key / page_size] * page_stride(params.n_kv_heads, params.head_dim4) +
                      (kv_head * page_size + key % page_size) * params.head_dim4;
  }
  workgroupBarrier();

  // Scores: a few neighbouring lanes share a key, and each takes every few-th vec4 of it.
  let lanes_per_key = workgroup_size / span_size;
  let my_row = value_row[lane / lanes_per_key];
  var scores = vec4f();
  for (var start = lane % lanes_per_key; start < params.head_dim4; start += 8 * lanes_per_key) {
    for (var j = 0u; j < 8u; j++) {  // a constant count, so that eight loads are under way at once
      let i = start + j * lanes_per_key;
      if (i < params.head_dim4) {
        let key = unpack4(kv[my_row + i]);
        let q = heads_per_pass * i;
        scores.x += dot(query[q], key);
        if (heads_per_pass > 1) {
          scores.y += dot(query[q + 1], key);
        }
        if (heads_per_pass > 2) {
          scores.z += dot(query[q + 2], key);
          scores.w += dot(query[q + 3], key);
        }
      }
    }
  }
  partial[lane] = scores;
  workgroupBarrier();

  var score = vec4f(least);
  var is_seen = false;
  var scales = vec2f(1.0);
  if (lane < span_size) {
    let key = first_key + lane;
    is_seen = key < n_keys && key >= first_seen;
    if (is_seen) {
      scales = kv_scales(page_table[key / page_size], kv_head, key % page_size, params.n_kv_heads,
                         params.head_dim4);
      score = vec4f();
      for (var i = 0u; i < lanes_per_key; i++) {
        score += partial[lane * lanes_per_key + i];
      }
      score *= scales.x;
      if (params.softcap > 0.0) {
        score = soft_capped4(score, params.softcap);
      }
    }
  }
  let largest = workgroup_max4(score, lane);
  let weight = select(vec4f(), exp(score - largest), is_seen);
  if (lane < span_size) {
    // From now on the rows of values. What was never written may be anything: its weight is 0.
    weights[lane] = weight * scales.y;
    value_row[lane] += params.n_kv_heads * page_size * params.head_dim4;
  }
  let total = workgroup_sum4(weight, lane);  // its barriers also publish weights and value_row

  // Values: a lane owns one vec4 of the head and every n_parts-th key.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;
  let begin = max(first_key, first_seen) - first_key;
  let end = min(span_size, n_keys - first_key);
  var sum_x = vec4f();
  var sum_y = vec4f();
  var sum_z = vec4f();
  var sum_w = vec4f();
  if (part < n_parts) {
    for (var start = begin + part; start < end; start += 8 * n_parts) {
      for (var j = 0u; j < 8u; j++) {
        let k = start + j * n_parts;
        if (k < end) {
          let value = unpack4(kv[value_row[k] + dim]);
          let w = weights[k];
          sum_x += w.x * value;
          if (heads_per_pass > 1) {
            sum_y += w.y * value;
          }
          if (heads_per_pass > 2) {
            sum_z += w.z * value;
            sum_w += w.w * value;
          }
        }
      }
    }
  }
  let span = first_key / span_size;
  for (var h = 0u; h < heads_per_pass; h++) {
    partial[lane] = select(select(sum_w, sum_z, h == 2), select(sum_y, sum_x, h == 0), h < 2);
    workgroupBarrier();
    let at = span * params.n_heads + first_head + h;
    if (h < n_heads_here && lane < params.head_dim4) {
      var sum = vec4f();
      for (var p = 0u; p < n_parts; p++) {
        sum += partial[p * params.head_dim4 + lane];
      }
      values[at * params.head_dim4 + lane] = sum;
    }
    if (h < n_heads_here && lane == 0) {
      softmax[at] = vec2f(largest[h], total[h]);
    }
    workgroupBarrier();
  }
}
