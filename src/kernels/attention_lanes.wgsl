// attention_lanes: y[r,h,:] = softmax(cap(scale * q[r,h,:] . K[first..positions[r], ...])) V, for many rows,
//                  each lane by itself
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
//   dispatch   (n_heads, ceil(rows / workgroup_size), 1): a lane attends with one query head of one row
//   requires   head_dim % 4 == 0, keys of all rows appended already
//   numerics   f32; online softmax over chunks of four keys; checked against reference/attention.cpp
//   cost       reads y and writes it once every four keys; keys and values are the same in all lanes at once
//
// What attention_prefill.wgsl does, for software adapters, on which workgroup memory and barriers cost
// more than reading again. The positions of the rows may differ in any way. Slabs: as in attention.wgsl.
//
// variants: kv = f32 | f16 | int8
// uses: lib/kv_{kv}.wgsl
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

override workgroup_size: u32 = 8;

const least = -3.0e38;

struct Seen {
  begin: u32,
  end: u32,
}

// The keys of this slab that a row sees.
fn keys_of(row: u32) -> Seen {
  let n_keys = positions[row] + 1;
  let first = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  return Seen(max(first, params.first), min(n_keys, params.end));
}

struct Key {
  at: u32,       // where it begins in kv
  scales: vec2f, // what multiplies it, and its value
}

fn find_key(key: u32, kv_head: u32) -> Key {
  let page = page_table[key / page_size];
  let slot = key % page_size;
  let at = page * page_stride(params.n_kv_heads, params.head_dim4) +
           (kv_head * page_size + slot) * params.head_dim4;
  return Key(at, kv_scales(page, kv_head, slot, params.n_kv_heads, params.head_dim4));
}

@compute @workgroup_size(workgroup_size)
fn attention_lanes(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let kv_head = head / (params.n_heads / params.n_kv_heads);
  let first_row = group.y * workgroup_size;
  let row = first_row + lane;
  if (row >= params.rows) {
    return;
  }
  // All lanes go through the keys that any of them sees, so that they load the same ones at once.
  var seen_here = Seen(params.end, 0);
  for (var r = first_row; r < min(first_row + workgroup_size, params.rows); r++) {
    let its = keys_of(r);
    seen_here = Seen(min(seen_here.begin, its.begin), max(seen_here.end, its.end));
  }
  let mine = keys_of(row);

  let q_at = row * params.row_dim4 + head * params.head_dim4;
  let y_at = (row * params.n_heads + head) * params.head_dim4;
  var so_far = vec2f(least, 0.0);  // the largest score, and the sum of weights
  if (params.is_first == 0) {
    so_far = softmax[row * params.n_heads + head];
  } else {
    for (var d = 0u; d < params.head_dim4; d++) {
      y[y_at + d] = vec4f();
    }
  }
  let value_offset = params.n_kv_heads * page_size * params.head_dim4;
  for (var first = seen_here.begin / 4 * 4; first < seen_here.end; first += 4) {
    // What nobody sees may be anything: in its place, a key that is seen.
    let key0 = find_key(clamp(first, seen_here.begin, seen_here.end - 1), kv_head);
    let key1 = find_key(clamp(first + 1, seen_here.begin, seen_here.end - 1), kv_head);
    let key2 = find_key(clamp(first + 2, seen_here.begin, seen_here.end - 1), kv_head);
    let key3 = find_key(clamp(first + 3, seen_here.begin, seen_here.end - 1), kv_head);
    var scores = vec4f();
    for (var d = 0u; d < params.head_dim4; d++) {
      let q = qkv[q_at + d] * params.scale;
      scores += vec4f(dot(q, unpack_kv(kv[key0.at + d])), dot(q, unpack_kv(kv[key1.at + d])),
                      dot(q, unpack_kv(kv[key2.at + d])), dot(q, unpack_kv(kv[key3.at + d])));
    }
    scores *= vec4f(key0.scales.x, key1.scales.x, key2.scales.x, key3.scales.x);
    if (params.softcap > 0.0) {
      scores = soft_capped4(scores, params.softcap);
    }
    let keys = first + vec4u(0, 1, 2, 3);
    let seen = (keys >= vec4u(mine.begin)) & (keys < vec4u(mine.end));
    scores = select(vec4f(least), scores, seen);
    let largest = max(so_far.x, max(max(scores.x, scores.y), max(scores.z, scores.w)));
    let weights = select(vec4f(), exp(scores - largest), seen);
    let rescale = exp(so_far.x - largest);
    so_far = vec2f(largest, so_far.y * rescale + dot(weights, vec4f(1.0)));
    let w = weights * vec4f(key0.scales.y, key1.scales.y, key2.scales.y, key3.scales.y);
    for (var d = 0u; d < params.head_dim4; d++) {
      let v = value_offset + d;
      y[y_at + d] = y[y_at + d] * rescale +
                    (w.x * unpack_kv(kv[key0.at + v]) + w.y * unpack_kv(kv[key1.at + v]) +
                     w.z * unpack_kv(kv[key2.at + v]) + w.w * unpack_kv(kv[key3.at + v]));
    }
  }

  if (params.is_last == 0) {
    softmax[row * params.n_heads + head] = so_far;
    return;
  }
  for (var d = 0u; d < params.head_dim4; d++) {
    y[y_at + d] /= so_far.y;
  }
}
