// attention_prefill: y[r,h,:] = softmax(cap(scale * q[r,h,:] . K[first..positions[r], ...])) V, for many rows
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
//   dispatch   (n_heads, ceil(rows / 4), 1): one workgroup attends with one query head of four rows
//   requires   head_dim % 4 == 0, head_dim <= 256 and <= 4 * max_head_dim4, keys of all rows appended
//              already
//   numerics   f32; online softmax over chunks of 64 keys; checked against reference/attention.cpp
//   cost       reads the keys and values of the four rows once: a quarter of attention's, and a
//              quarter of its barriers; adds to y once every 256 keys
//
// What attention.wgsl does for one row, with one component of a vec4 for each of four rows; rows that
// are not there see no key. Their positions may differ in any way. Slabs, spans: as there.
//
// variants: kv = f32 | f16 | int8
// variants: reduce = tree | subgroup
// uses: lib/kv_{kv}.wgsl
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

override max_head_dim4: u32 = 64;  // memory of a workgroup that nobody uses is zeroed all the same

const workgroup_size = 64u;
const span_size = 256u;        // keys whose values are summed before they are added to the others'
const least = -3.0e38;

var<workgroup> query: array<vec4f, 4 * max_head_dim4>;  // row after row
var<workgroup> value_weight: array<vec4f, 64>;          // of a key, for each row: probability * scale
var<workgroup> value_row: array<u32, 64>;               // where each key's value starts in kv
var<workgroup> partial: array<vec4f, 4 * 64>;

// Keys up to a row's own; none for a row that is not there.
fn keys_of(row: u32) -> u32 {
  if (row < params.rows) {
    return positions[row] + 1;
  }
  return 0u;
}

// What the slabs before this one left of a row.
fn softmax_of(row: u32, head: u32) -> vec2f {
  if (row < params.rows && params.is_first == 0) {
    return softmax[row * params.n_heads + head];
  }
  return vec2f(least, 0.0);
}

@compute @workgroup_size(workgroup_size)
fn attention_prefill(@builtin(workgroup_id) group: vec3u,
                     @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = 4 * group.y;
  let kv_head = head / (params.n_heads / params.n_kv_heads);
  let n_keys = vec4u(keys_of(row), keys_of(row + 1), keys_of(row + 2), keys_of(row + 3));
  let has_window = vec4<bool>(params.window > 0) & (n_keys > vec4u(params.window));
  let first_seen = select(vec4u(), n_keys - params.window, has_window);
  // Where the earliest window begins; a row that is not there has no say.
  let window_begin = select(vec4u(0xffffffff), first_seen, n_keys > vec4u());
  let begin = max(params.first, min(min(window_begin.x, window_begin.y),
                                    min(window_begin.z, window_begin.w)));
  let end = min(params.end, max(max(n_keys.x, n_keys.y), max(n_keys.z, n_keys.w)));

  let n_values = 4 * params.head_dim4;  // of the four rows, in vec4s
  let y_at = (row * params.n_heads + head) * params.head_dim4;
  let y_stride = params.n_heads * params.head_dim4;
  for (var i = lane; i < n_values; i += workgroup_size) {
    let r = i / params.head_dim4;
    let d = i % params.head_dim4;
    if (row + r < params.rows) {
      query[i] = qkv[(row + r) * params.row_dim4 + head * params.head_dim4 + d] * params.scale;
      if (params.is_first == 1) {
        y[y_at + r * y_stride + d] = vec4f();
      }
    }
  }
  workgroupBarrier();

  // For the values, a lane owns one vec4 of the head and every n_parts-th key of a chunk.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;
  let value_offset = params.n_kv_heads * page_size * params.head_dim4;

  let before0 = softmax_of(row, head);
  let before1 = softmax_of(row + 1, head);
  let before2 = softmax_of(row + 2, head);
  let before3 = softmax_of(row + 3, head);
  var largest = vec4f(before0.x, before1.x, before2.x, before3.x);
  var total = vec4f(before0.y, before1.y, before2.y, before3.y);
  for (var span = begin / span_size * span_size; span < end; span += span_size) {
    let largest_before = largest;
    var sum0 = vec4f();
    var sum1 = vec4f();
    var sum2 = vec4f();
    var sum3 = vec4f();
    let chunk = max(span, begin / workgroup_size * workgroup_size);
    for (var first = chunk; first < min(end, span + span_size); first += workgroup_size) {
      // One key per lane, for all four rows.
      let key = first + lane;
      var score = vec4f();
      var value_scale = 0.0;
      if (key >= begin && key < end) {
        let page = page_table[key / page_size];
        let slot = key % page_size;
        let at = page * page_stride(params.n_kv_heads, params.head_dim4) +
                 (kv_head * page_size + slot) * params.head_dim4;
        let scales = kv_scales(page, kv_head, slot, params.n_kv_heads, params.head_dim4);
        value_row[lane] = at + value_offset;
        value_scale = scales.y;
        for (var i = 0u; i < params.head_dim4; i++) {
          let k = unpack_kv(kv[at + i]);
          score += vec4f(dot(query[i], k), dot(query[params.head_dim4 + i], k),
                         dot(query[2 * params.head_dim4 + i], k),
                         dot(query[3 * params.head_dim4 + i], k));
        }
        score *= scales.x;
        if (params.softcap > 0.0) {
          score = soft_capped4(score, params.softcap);
        }
      }
      let seen = (vec4u(key) >= max(first_seen, vec4u(begin))) &
                 (vec4u(key) < min(n_keys, vec4u(end)));
      score = select(vec4f(least), score, seen);
      let new_largest = max(largest, workgroup_max4(score, lane));
      let weight = select(vec4f(), exp(score - new_largest), seen);
      value_weight[lane] = weight * value_scale;

      // What was summed so far counted relative to a smaller maximum. The barriers within
      // workgroup_sum4 also publish value_weight and value_row.
      let rescale = exp(largest - new_largest);
      total = total * rescale + workgroup_sum4(weight, lane);
      sum0 *= rescale.x;
      sum1 *= rescale.y;
      sum2 *= rescale.z;
      sum3 *= rescale.w;
      if (part < n_parts) {
        // From the first key seen on: what lies before may be anything.
        let skipped = max(begin, first) - first;
        let first_mine = part + (skipped + n_parts - 1 - part) / n_parts * n_parts;
        for (var k = first_mine; k < min(workgroup_size, end - first); k += n_parts) {
          let w = value_weight[k];
          let v = unpack_kv(kv[value_row[k] + dim]);
          sum0 += w.x * v;
          sum1 += w.y * v;
          sum2 += w.z * v;
          sum3 += w.w * v;
        }
      }
      largest = new_largest;
      workgroupBarrier();  // before the next chunk overwrites value_weight and value_row
    }

    partial[lane] = sum0;
    partial[64 + lane] = sum1;
    partial[128 + lane] = sum2;
    partial[192 + lane] = sum3;
    workgroupBarrier();
    let kept = exp(largest_before - largest);
    for (var i = lane; i < n_values; i += workgroup_size) {
      let r = i / params.head_dim4;
      let d = i % params.head_dim4;
      if (row + r < params.rows) {
        var result = y[y_at + r * y_stride + d] * kept[r];
        for (var p = 0u; p < n_parts; p++) {
          result += partial[64 * r + p * params.head_dim4 + d];
        }
        y[y_at + r * y_stride + d] = result;
      }
    }
  }

  if (params.is_last == 0) {
    if (lane < 4 && row + lane < params.rows) {
      softmax[(row + lane) * params.n_heads + head] = vec2f(largest[lane], total[lane]);
    }
    return;
  }
  for (var i = lane; i < n_values; i += workgroup_size) {
    let r = i / params.head_dim4;
    let at = y_at + r * y_stride + i % params.head_dim4;
    if (row + r < params.rows) {
      y[at] = y[at] / total[r];
    }
  }
}
