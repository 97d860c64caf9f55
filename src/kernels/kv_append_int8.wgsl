// kv_append_int8: kv[page of positions[r]][K, V][head][slot,:] = round(x / scale), and scale, for x a
//                 key or value of qkv[r,:] and scale = max|x| / 127
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [rows, row_dim]                                read
//   1        positions   u32      [rows]                                         read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          kv_word  [n_pages, page_stride]                         write
//   4        params      Params                                                  uniform
//
//   dispatch   (n_kv_heads, rows, 1): one workgroup stores one key and its value
//   requires   head_dim % 4 == 0, head_dim <= 256; rows as for kv_append.wgsl
//   numerics   see lib/append_int8.wgsl
//   cost       reads 2 * rows * n_kv_heads * head_dim floats, writes a byte for each
//
// kv is one slab of a cache: rows whose position it does not hold are left to another dispatch.
//
// variants: reduce = tree | subgroup
// uses: lib/append_int8.wgsl

struct Params {
  row_dim4: u32,     // row_dim / 4
  first_key4: u32,   // vec4s before the first key head of a row
  n_kv_heads: u32,
  head_dim4: u32,    // head_dim / 4
  first: u32,        // the slab holds the positions from here
  end: u32,          // to before here
}

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> page_table: array<u32>;
@group(0) @binding(3) var<storage, read_write> kv: array<kv_word>;
@group(0) @binding(4) var<uniform> params: Params;

const workgroup_size = 64u;

@compute @workgroup_size(workgroup_size)
fn kv_append_int8(@builtin(workgroup_id) group: vec3u,
                  @builtin(local_invocation_index) lane: u32) {
  let kv_head = group.x;
  let row = group.y;
  let position = positions[row];
  if (position < params.first || position >= params.end) {
    return;
  }

  var key = vec4f();
  var value = vec4f();
  if (lane < params.head_dim4) {
    let at = row * params.row_dim4 + params.first_key4 + kv_head * params.head_dim4 + lane;
    key = qkv[at];
    value = qkv[at + params.n_kv_heads * params.head_dim4];
  }
  append(page_table[position / page_size], position % page_size, kv_head, params.n_kv_heads,
         params.head_dim4, lane, packed_row(key, value, lane));
}
