// attention: y[r,h,:] = softmax(cap(scale * q[r,h,:] . K[first..positions[r], h/q_per_kv, :])) V
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [rows, row_dim]                                read
//   1        positions   u32      [rows]                                         read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          packed4  [n_pages, 2, n_kv_heads, page_size, head_dim]  read
//   4        y           vec4f    [rows, n_heads * head_dim]                     write
//   5        params      Params                                                  uniform
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
// variants: kv = f32 | f16
// variants: reduce = tree | subgroup
// uses: lib/packed4_{kv}.wgsl
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
}

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read> kv: array<packed4>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

const workgroup_size = 64u;
const page_size = 16u;  // tokens

var<workgroup> query: array<vec4f, 64>;             // head_dim / 4 of them used
var<workgroup> probability: array<f32, 64>;         // of the chunk's keys, not yet normalised
var<workgroup> value_row: array<u32, 64>;           // where each key's value starts in kv
var<workgroup> partial: array<vec4f, 64>;

// Where the key at `position` starts in kv, in vec4s; its value is value_offset() further on.
fn key_row(position: u32, kv_head: u32) -> u32 {
  let page = page_table[position / page_size];
  let slot = position % page_size;
  return ((page * 2 * params.n_kv_heads + kv_head) * page_size + slot) * params.head_dim4;
}

fn value_offset() -> u32 {
  return params.n_kv_heads * page_size * params.head_dim4;
}

@compute @workgroup_size(workgroup_size)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = group.y;
  let kv_head = head / (params.n_heads / params.n_kv_heads);
  let n_keys = positions[row] + 1;
  let first_key = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);

  if (lane < params.head_dim4) {
    query[lane] = qkv[row * params.row_dim4 + head * params.head_dim4 + lane] * params.scale;
  }
  workgroupBarrier();

  // For the values, a lane owns one vec4 of the head and every n_parts-th key of a chunk.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;

  var largest = -3.0e38;
  var total = 0.0;
  var sum = vec4f();
  for (var first = first_key; first < n_keys; first += workgroup_size) {
    // One key per lane.
    let key = first + lane;
    var score = -3.0e38;
    if (key < n_keys) {
      let at = key_row(key, kv_head);
      value_row[lane] = at + value_offset();
      score = 0.0;
      for (var i = 0u; i < params.head_dim4; i++) {
        score += dot(query[i], unpack4(kv[at + i]));
      }
      if (params.softcap > 0.0) {
        score = soft_capped(score, params.softcap);
      }
    }
    let new_largest = max(largest, workgroup_max(score, lane));
    let weight = select(0.0, exp(score - new_largest), key < n_keys);
    probability[lane] = weight;

    // What was summed so far counted relative to a smaller maximum. The barriers within
    // workgroup_sum also publish probability and value_row.
    let rescale = exp(largest - new_largest);
    total = total * rescale + workgroup_sum(weight, lane);
    sum *= rescale;
    if (part < n_parts) {
      for (var k = part; k < min(workgroup_size, n_keys - first); k += n_parts) {
        sum += probability[k] * unpack4(kv[value_row[k] + dim]);
      }
    }
    largest = new_largest;
    workgroupBarrier();  // before the next chunk overwrites probability and value_row
  }

  partial[lane] = sum;
  workgroupBarrier();
  if (lane < params.head_dim4) {
    var result = vec4f();
    for (var p = 0u; p < n_parts; p++) {
      result += partial[p * params.head_dim4 + lane];
    }
    y[(row * params.n_heads + head) * params.head_dim4 + lane] = result / total;
  }
}
