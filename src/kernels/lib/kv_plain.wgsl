// How a page of keys and values lies in memory: [2 * n_kv_heads, page_size, head_dim] of kv_word,
// the key heads first, and nothing else.

const page_size = 16u;  // tokens

// From one page to the next.
fn page_stride(n_kv_heads: u32, head_dim4: u32) -> u32 {
  return 2 * n_kv_heads * page_size * head_dim4;
}

// What multiplies the key, and the value, of a head in a slot.
fn kv_scales(page: u32, kv_head: u32, slot: u32, n_kv_heads: u32, head_dim4: u32) -> vec2f {
  return vec2f(1.0);
}
