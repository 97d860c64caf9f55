// packed_row and append, for pages of 8 bits: the codes of a key and of its value, and their scales. Every
// invocation of the workgroup calls them, in uniform control flow; lane i brings values 4 * i .. 4 * i +
// 3 of both, lanes past the head zeros.
// uses: lib/codes_int8.wgsl
// uses: lib/reduce_{reduce}.wgsl

struct PackedRow {
  key: kv_word,
  value: kv_word,
  scales: u32,  // as pack_scales gives them
}

fn packed_row(key: vec4f, value: vec4f, lane: u32) -> PackedRow {
  let largest = vec2f(workgroup_max(largest_of(key), lane), workgroup_max(largest_of(value), lane));
  let packed_scales = pack_scales(largest);
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
    kv[kv_scales_at(page, kv_head, slot, n_kv_heads, head_dim4)] = row.scales;
  }
}
