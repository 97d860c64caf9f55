// append: stores four values of a key and of its value in a page of f32 or f16. Every invocation of the
// workgroup calls it, in uniform control flow; lane i brings values 4 * i .. 4 * i + 3 of both.

fn append(page: u32, slot: u32, kv_head: u32, n_kv_heads: u32, head_dim4: u32, lane: u32, key: vec4f,
          value: vec4f) {
  if (lane < head_dim4) {
    let at = page * page_stride(n_kv_heads, head_dim4) + (kv_head * page_size + slot) * head_dim4 + lane;
    kv[at] = pack4(key);
    kv[at + n_kv_heads * page_size * head_dim4] = pack4(value);
  }
}
