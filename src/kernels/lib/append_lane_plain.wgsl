// append_lane, for pages of f32 or f16: one lane stores the key that begins at spans[key_at] and the value that
// begins at qkv[value_at]. The kernel declares kv, spans: array<vec4f>, params.n_kv_heads, params.head_dim4,
// row_at and qkv4.

fn append_lane(page: u32, slot: u32, kv_head: u32, key_at: u32, value_at: u32) {
  for (var d = 0u; d < params.head_dim4; d++) {
    kv[row_at(page, kv_head, slot) + d] = pack4(spans[key_at + d]);
    kv[row_at(page, params.n_kv_heads + kv_head, slot) + d] = pack4(qkv4(value_at, d));
  }
}
