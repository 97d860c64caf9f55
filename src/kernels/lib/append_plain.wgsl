// packed_row and append, for pages of f32 or f16: how a key and its value are stored, and storing them. Every
// invocation of the workgroup calls them, in uniform control flow; lane i brings, and gets, values
// 4 * i .. 4 * i + 3 of both.

struct PackedRow {
  key: kv_word,
  value: kv_word,
}

fn packed_row(key: vec4f, value: vec4f, lane: u32) -> PackedRow {
  return PackedRow(pack_kv(key), pack_kv(value));
}

// What multiplies the key, and the value.
fn row_scales(row: PackedRow) -> vec2f {
  return vec2f(1.0);
}

fn append(page: u32, slot: u32, kv_head: u32, n_kv_heads: u32, head_dim4: u32, lane: u32, row: PackedRow) {
  if (lane < head_dim4) {
    let at = page * page_stride(n_kv_heads, head_dim4) + (kv_head * page_size + slot) * head_dim4 + lane;
    kv[at] = row.key;
    kv[at + n_kv_heads * page_size * head_dim4] = row.value;
  }
}
