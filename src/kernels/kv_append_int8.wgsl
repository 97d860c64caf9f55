// kv_append_int8: kv[page of positions[r]][K, V][head][slot,:] = round(x / scale), and scale, for x a
//                 key or value of qkv[r,:] and scale = max|x| / 127
//
//   binding  name        type     shape                                          access
//   0        qkv         vec4f    [rows, row_dim]                                read
//   1        positions   u32      [rows]                                         read
//   2        page_table  u32      [n_pages]                                      read
//   3        kv          packed4  [n_pages, page_stride]                         write
//   4        params      Params                                                  uniform
//
//   dispatch   (n_kv_heads, rows, 1): one workgroup stores one key and its value
//   requires   head_dim % 4 == 0, head_dim <= 256; rows as for kv_append.wgsl
//   numerics   the scale is rounded to f16 before it is used, and is at least 2^-24, the least f16; a
//              row of zeros stays zeros. Codes go to the nearest, ties to even, within [-127, 127]
//   cost       reads 2 * rows * n_kv_heads * head_dim floats, writes a byte for each
//
// kv is one slab of a cache: rows whose position it does not hold are left to another dispatch.
//
// variants: reduce = tree | subgroup
// uses: lib/kv_int8.wgsl
// uses: lib/reduce_{reduce}.wgsl

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
@group(0) @binding(3) var<storage, read_write> kv: array<packed4>;
@group(0) @binding(4) var<uniform> params: Params;

const workgroup_size = 64u;
const least_scale = 0x1p-24f;
const largest_scale = 65504.0;

fn largest_of(x: vec4f) -> f32 {
  let a = abs(x);
  return max(max(a.x, a.y), max(a.z, a.w));
}

fn codes(x: vec4f, scale: f32) -> packed4 {
  // A device may write the least f16s as zero.
  let exact = select(vec4f(), x / scale, scale > 0.0);
  return pack4(clamp(round(exact), vec4f(-127.0), vec4f(127.0)));
}

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
  let largest = vec2f(workgroup_max(largest_of(key), lane), workgroup_max(largest_of(value), lane));
  // A product, because WGSL rounds it correctly and a quotient not.
  let packed_scales = pack2x16float(
      clamp(largest * (1.0 / 127.0), vec2f(least_scale), vec2f(largest_scale)));
  let scales = unpack_scales(packed_scales);

  let page = page_table[position / page_size];
  let slot = position % page_size;
  let page_at = page * page_stride(params.n_kv_heads, params.head_dim4);
  if (lane < params.head_dim4) {
    let at = page_at + (kv_head * page_size + slot) * params.head_dim4 + lane;
    kv[at] = codes(key, scales.x);
    kv[at + params.n_kv_heads * page_size * params.head_dim4] = codes(value, scales.y);
  }
  if (lane == 0) {
    kv[scales_at(page, kv_head, slot, params.n_kv_heads, params.head_dim4)] = packed_scales;
  }
}
