// kv_append: kv[page of positions[r]][K, V][head][slot,:] = the keys and values of qkv[r,:]
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [rows, row_dim]                                read
//   1        positions   u32      [rows]                                         read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          kv_word  [n_pages, 2, n_kv_heads, page_size, head_dim]  write
//   4        params      Params                                                  uniform
//
//   dispatch   (ceil(2 * n_kv_heads * head_dim/4 / workgroup_size), rows, 1): one lane stores one vec4
//   requires   head_dim % 4 == 0; a row holds query heads, key heads (rotated), value heads
//   numerics   f32 pages are exact, f16 pages round to nearest; int8: kv_append_int8.wgsl
//   cost       reads and writes 2 * rows * n_kv_heads * head_dim values
//
// kv is one slab of a cache: rows whose position it does not hold are left to another dispatch.
//
// variants: page = f32 | f16
// uses: lib/kv_{page}.wgsl

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

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn kv_append(@builtin(global_invocation_id) id: vec3u) {
  // Keys and values lie the same way in a row of qkv as in a page: side, head, dimension.
  let side_head = id.x / params.head_dim4;
  let i = id.x % params.head_dim4;
  let row = id.y;
  let position = positions[row];
  if (side_head >= 2 * params.n_kv_heads || position < params.first || position >= params.end) {
    return;
  }
  let page = page_table[position / page_size];
  let slot = position % page_size;
  let to = page * page_stride(params.n_kv_heads, params.head_dim4) +
           (side_head * page_size + slot) * params.head_dim4 + i;
  kv[to] = pack_kv(qkv[row * params.row_dim4 + params.first_key4 + id.x]);
}
