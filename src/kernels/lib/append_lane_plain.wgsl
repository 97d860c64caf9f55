// append_lane, for pages of f32 or f16: one lane stores the key that lies at key_at and the value that lies at
// value_at. The kernel declares kv, params.n_kv_heads, params.head_dim4, row_at (lib/weigh_keys.wgsl), and
// prepared4(key_at, d) and value4(value_at, d): vec4 number d of each.

fn append_lane(page: u32, slot: u32, kv_head: u32, key_at: u32, value_at: u32) {
  for (var d = 0u; d < params.head_dim4; d++) {
    kv[row_at(page, kv_head, slot) + d] = pack_kv(prepared4(key_at, d));
    kv[row_at(page, params.n_kv_heads + kv_head, slot) + d] = pack_kv(value4(value_at, d));
  }
}
