// attention_prefill: y[r,h,:] = softmax(cap(scale * q[r,h,:] . K[first..positions[r], ...])) V, for many rows
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [rows, row_dim]                                read
//   1        positions   u32      [rows]                                         read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          packed4  [n_pages, 2, n_kv_heads, page_size, head_dim]  read
//   4        y           vec4f    [rows, n_heads * head_dim]                     write
//   5        params      Params                                                  uniform
//
//   dispatch   (n_heads, ceil(rows / 4), 1): one workgroup attends with one query head of four rows
//   requires   head_dim % 4 == 0, head_dim <= 256, keys of all rows appended already
//   numerics   f32; online softmax over chunks of 64 keys; checked against reference/attention.cpp
//   cost       reads the keys and values of the four rows once: a quarter of attention's, and a
//              quarter of its barriers
//
// What attention.wgsl does for one row, with one component of a vec4 for each of four rows; rows that
// are not there see no key. Their positions may differ in any way.
//
// variants: kv = f32 | f16
// variants: reduce = tree | subgroup
// uses: lib/packed4_{kv}.wgsl
// uses: lib/reduce_{reduce}.wgsl
// uses: lib/tanh.wgsl

struct Params {
  rows: u32,
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
const page_size = 16u;         // tokens
const max_head_dim4 = 64u;
const least = -3.0e38;

var<workgroup> query: array<vec4f, 4 * max_head_dim4>;  // row after row
var<workgroup> probability: array<vec4f, 64>;           // of a key, for each row; not normalised
var<workgroup> value_row: array<u32, 64>;               // where each key's value starts in kv
var<workgroup> partial: array<vec4f, 4 * 64>;

// Where the key at `position` starts in kv, in vec4s; its value is value_offset() further on.
fn key_row(position: u32, kv_head: u32) -> u32 {
  let page = page_table[position / page_size];
  let slot = position % page_size;
  return ((page * 2 * params.n_kv_heads + kv_head) * page_size + slot) * params.head_dim4;
}

fn value_offset() -> u32 {
  return params.n_kv_heads * page_size * params.head_dim4;
}

// Keys up to a row's own; none for a row that is not there.
fn keys_of(row: u32) -> u32 {
  if (row < params.rows) {
    return positions[row] + 1;
  }
  return 0u;
}

@compute @workgroup_size(workgroup_size)
fn attention_prefill(@builtin(workgroup_id) group: vec3u,
                     @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = 4 * group.y;
  let kv_head = head / (params.n_heads / params.n_kv_heads);
  let n_keys = vec4u(keys_of(row), keys_of(row + 1), keys_of(row + 2), keys_of(row + 3));
  let has_window = vec4<bool>(params.window > 0) & (n_keys > vec4u(params.window));
  let first_key = select(vec4u(), n_keys - params.window, has_window);
  let last_key = max(max(n_keys.x, n_keys.y), max(n_keys.z, n_keys.w));

  for (var i = lane; i < 4 * params.head_dim4; i += workgroup_size) {
    let r = i / params.head_dim4;
    if (row + r < params.rows) {
      let at = (row + r) * params.row_dim4 + head * params.head_dim4 + i % params.head_dim4;
      query[i] = qkv[at] * params.scale;
    }
  }
  workgroupBarrier();

  // For the values, a lane owns one vec4 of the head and every n_parts-th key of a chunk.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;

  var largest = vec4f(least);
  var total = vec4f();
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  // Where the earliest window begins; a row that is not there has no say.
  let begin = select(vec4u(0xffffffff), first_key, n_keys > vec4u());
  let start = min(min(begin.x, begin.y), min(begin.z, begin.w));
  for (var first = start; first < last_key; first += workgroup_size) {
    // One key per lane, for all four rows.
    let key = first + lane;
    var score = vec4f();
    if (key < last_key) {
      let at = key_row(key, kv_head);
      value_row[lane] = at + value_offset();
      for (var i = 0u; i < params.head_dim4; i++) {
        let k = unpack4(kv[at + i]);
        score += vec4f(dot(query[i], k), dot(query[params.head_dim4 + i], k),
                       dot(query[2 * params.head_dim4 + i], k),
                       dot(query[3 * params.head_dim4 + i], k));
      }
      if (params.softcap > 0.0) {
        score = soft_capped4(score, params.softcap);
      }
    }
    let seen = (vec4u(key) >= first_key) & (vec4u(key) < n_keys);
    score = select(vec4f(least), score, seen);
    let new_largest = max(largest, workgroup_max4(score, lane));
    let weight = select(vec4f(), exp(score - new_largest), seen);
    probability[lane] = weight;

    // What was summed so far counted relative to a smaller maximum. The barriers within
    // workgroup_sum4 also publish probability and value_row.
    let rescale = exp(largest - new_largest);
    total = total * rescale + workgroup_sum4(weight, lane);
    sum0 *= rescale.x;
    sum1 *= rescale.y;
    sum2 *= rescale.z;
    sum3 *= rescale.w;
    if (part < n_parts) {
      for (var k = part; k < min(workgroup_size, last_key - first); k += n_parts) {
        let p = probability[k];
        let v = unpack4(kv[value_row[k] + dim]);
        sum0 += p.x * v;
        sum1 += p.y * v;
        sum2 += p.z * v;
        sum3 += p.w * v;
      }
    }
    largest = new_largest;
    workgroupBarrier();  // before the next chunk overwrites probability and value_row
  }

  partial[lane] = sum0;
  partial[64 + lane] = sum1;
  partial[128 + lane] = sum2;
  partial[192 + lane] = sum3;
  workgroupBarrier();
  for (var i = lane; i < 4 * params.head_dim4; i += workgroup_size) {
    let r = i / params.head_dim4;
    if (row + r < params.rows) {
      var result = vec4f();
      for (var p = 0u; p < n_parts; p++) {
        result += partial[64 * r + p * params.head_dim4 + i % params.head_dim4];
      }
      let at = ((row + r) * params.n_heads + head) * params.head_dim4 + i % params.head_dim4;
      y[at] = result / total[r];
    }
  }
}
