// packed_row and append, for pages of 8 bits: round(x / scale) of a key and of its value, and their
// scales, max|x| / 127. A scale is rounded to f16 before it is used, and is at least 2^-24, the least
// f16; a row of zeros stays zeros. Codes go to the nearest, ties to even, within [-127, 127]. Every
// invocation of the workgroup calls them, in uniform control flow; lane i brings values 4 * i .. 4 * i +
// 3 of both, lanes past the head zeros.
// uses: lib/kv_int8.wgsl
// uses: lib/reduce_{reduce}.wgsl

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

struct PackedRow {
  key: packed4,
  value: packed4,
  scales: u32,  // in f16: of the key in the low half, of the value in the high one
}

fn packed_row(key: vec4f, value: vec4f, lane: u32) -> PackedRow {
  let largest = vec2f(workgroup_max(largest_of(key), lane), workgroup_max(largest_of(value), lane));
  // A product, because WGSL rounds it correctly and a quotient not.
  let packed_scales = pack2x16float(
      clamp(largest * (1.0 / 127.0), vec2f(least_scale), vec2f(largest_scale)));
  let scales = unpack_scales(packed_scales);
  return PackedRow(codes(key, scales.x), codes(value, scales.y), packed_scales);
}

// What multiplies the key, and the value.
fn row_scales(row: PackedRow) -> vec2f {
  return unpack_scales(row.scales);
}

fn append(page: u32, slot: u32, kv_head: u32, n_kv_heads: u32, head_dim4: u32, lane: u32, row: PackedRow) {
  if (lane < head_dim4) {
    let at = page * page_stride(n_kv_heads, head_dim4) + (kv_head * page_size + slot) * head_dim4 + lane;
    kv[at] = row.key;
    kv[at + n_kv_heads * page_size * head_dim4] = row.value;
  }
  if (lane == 0) {
    kv[scales_at(page, kv_head, slot, n_kv_heads, head_dim4)] = row.scales;
  }
}
