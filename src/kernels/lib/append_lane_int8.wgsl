// append_lane, for pages of 8 bits, as lib/append_lane_plain.wgsl.
// uses: lib/codes_int8.wgsl

fn append_lane(page: u32, slot: u32, kv_head: u32, key_at: u32, value_at: u32) {
  var largest = vec2f();
  for (var d = 0u; d < params.head_dim4; d++) {
    largest = max(largest, vec2f(largest_of(prepared4(key_at, d)), largest_of(value4(value_at, d))));
  }
  let packed_scales = pack_scales(largest);
  let scales = unpack_scales(packed_scales);
  for (var d = 0u; d < params.head_dim4; d++) {
    kv[row_at(page, kv_head, slot) + d] = codes(prepared4(key_at, d), scales.x);
    kv[row_at(page, params.n_kv_heads + kv_head, slot) + d] = codes(value4(value_at, d), scales.y);
  }
  kv[kv_scales_at(page, kv_head, slot, params.n_kv_heads, params.head_dim4)] = packed_scales;
}
