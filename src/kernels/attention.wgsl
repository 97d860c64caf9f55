// attention: y[r,h,:] = softmax(cap(scale * q[r,h,:] . K[first..positions[r], h/q_per_kv, :])) V
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [rows, row_dim]                                read
//   1        positions   u32      [rows]                                         read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          kv_word  [n_pages, 2, n_kv_heads, page_size, head_dim]  read
//   4        softmax     vec2f    [rows, n_heads]                                read_write
//   5        y           vec4f    [rows, n_heads * head_dim]                     read_write
//   6        params      Params                                                  uniform
//
//   dispatch   (n_heads, rows, 1): one workgroup attends with one query head of one row
//   requires   head_dim % 4 == 0, head_dim <= 256, keys of all rows appended already
//   numerics   f32; online softmax over chunks of 64 keys; checked against reference/attention.cpp
//   cost       reads (positions[r] + 1) keys and values per row and head; serves prefill and decode
//
// Causal by construction: a row sees the keys up to its own position, or the last `window` of them.
// Grouped queries read the KV head they share. cap(s) = softcap * tanh(s / softcap) where softcap is
// not 0 (Gemma 2). Source: Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018).
//
// kv is one slab of a cache. The slabs before it left their largest score and their sum of weights in
// softmax, and what they sum to in y; the last slab divides. Chunks and spans begin at multiples of
// their size, a slab at a multiple of a span: so where a cache is cut changes no bit of y.
//
// variants: kv = f32 | f16 | int8
// variants: reduce = tree | subgroup
// uses: lib/kv_{kv}.wgsl
// uses: lib/reduce_{reduce}.wgsl
// uses: lib/tanh.wgsl

struct Params {
  row_dim4: u32,    // row_dim / 4
  n_heads: u32,
  n_kv_heads: u32,
  head_dim4: u32,   // head_dim / 4
  scale: f32,
  window: u32,      // keys a row sees, its own included; 0: all
  softcap: f32,     // 0: none
  first: u32,       // the slab holds the positions from here, a multiple of 256
  end: u32,         // to before here
  is_first: u32,    // 1: nothing was attended to before
  is_last: u32,     // 1: nothing will be after
}

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read> kv: array<kv_word>;
@group(0) @binding(4) var<storage, read_write> softmax: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

const workgroup_size = 64u;
const span_size = 256u;  // keys whose values are summed before they are added to the others'
const least = -3.0e38;

var<workgroup> query: array<vec4f, 64>;             // head_dim / 4 of them used
var<workgroup> value_weight: array<f32, 64>;        // of the chunk's keys: probability times scale
var<workgroup> value_row: array<u32, 64>;           // where each key's value starts in kv
var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(workgroup_size)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = group.y;
  let kv_head = head / (params.n_heads / params.n_kv_heads);
  let n_keys = positions[row] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  let begin = max(first_seen, params.first);
  let end = min(n_keys, params.end);

  if (lane < params.head_dim4) {
    query[lane] = qkv[row * params.row_dim4 + head * params.head_dim4 + lane] * params.scale;
  }
  workgroupBarrier();

  // For the values, a lane owns one vec4 of the head and every n_parts-th key of a chunk.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;
  let value_offset = params.n_kv_heads * page_size * params.head_dim4;

  let y_at = (row * params.n_heads + head) * params.head_dim4 + lane;
  var largest = least;
  var total = 0.0;
  var result = vec4f();
  if (params.is_first == 0) {
    largest = softmax[row * params.n_heads + head].x;
    total = softmax[row * params.n_heads + head].y;
    if (lane < params.head_dim4) {
      result = y[y_at];
    }
  }
  for (var span = begin / span_size * span_size; span < end; span += span_size) {
    let largest_before = largest;
    var sum = vec4f();
    let chunk = max(span, begin / workgroup_size * workgroup_size);
    for (var first = chunk; first < min(end, span + span_size); first += workgroup_size) {
      // One key per lane.
      let key = first + lane;
      let seen = key >= begin && key < end;
      var score = least;
      var value_scale = 0.0;
      if (seen) {
        let page = page_table[key / page_size];
        let slot = key % page_size;
        let at = page * page_stride(params.n_kv_heads, params.head_dim4) +
                 (kv_head * page_size + slot) * params.head_dim4;
        let scales = kv_scales(page, kv_head, slot, params.n_kv_heads, params.head_dim4);
        value_row[lane] = at + value_offset;
        value_scale = scales.y;
        score = 0.0;
        for (var i = 0u; i < params.head_dim4; i++) {
          score += dot(query[i], unpack_kv(kv[at + i]));
        }
        score *= scales.x;
        if (params.softcap > 0.0) {
          score = soft_capped(score, params.softcap);
        }
      }
      let new_largest = max(largest, workgroup_max(score, lane));
      let weight = select(0.0, exp(score - new_largest), seen);
      value_weight[lane] = weight * value_scale;

      // What was summed so far counted relative to a smaller maximum. The barriers within
      // workgroup_sum also publish value_weight and value_row.
      let rescale = exp(largest - new_largest);
      total = total * rescale + workgroup_sum(weight, lane);
      sum *= rescale;
      if (part < n_parts) {
        // From the first key seen on: what lies before may be anything.
        let skipped = max(begin, first) - first;
        let first_mine = part + (skipped + n_parts - 1 - part) / n_parts * n_parts;
        for (var k = first_mine; k < min(workgroup_size, end - first); k += n_parts) {
          sum += value_weight[k] * unpack_kv(kv[value_row[k] + dim]);
        }
      }
      largest = new_largest;
      workgroupBarrier();  // before the next chunk overwrites value_weight and value_row
    }

    partial[lane] = sum;
    workgroupBarrier();
    if (lane < params.head_dim4) {
      result *= exp(largest_before - largest);
      for (var p = 0u; p < n_parts; p++) {
        result += partial[p * params.head_dim4 + lane];
      }
    }
  }

  if (params.is_last == 0 && lane == 0) {
    softmax[row * params.n_heads + head] = vec2f(largest, total);
  }
  if (lane < params.head_dim4) {
    y[y_at] = select(result, result / total, params.is_last == 1);
  }
}
