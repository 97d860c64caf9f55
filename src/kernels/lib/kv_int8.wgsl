// How a page of keys and values lies in memory: codes [2 * n_kv_heads, page_size, head_dim] of
// kv_word, the key heads first; behind them a word for each [n_kv_heads, page_size], the f16 scales
// of that key (low half) and of its value. The kernel binds both as `kv`.
// kv_word: codes of four neighbouring values, whole numbers from -128 to 127, one a byte, the first in the
// lowest.

alias kv_word = u32;

fn unpack_kv(p: kv_word) -> vec4f {
  return vec4f((vec4i(i32(p)) << vec4u(24, 16, 8, 0)) >> vec4u(24));
}

fn pack_kv(values: vec4f) -> kv_word {
  let bytes = (vec4u(vec4i(values)) & vec4u(0xff)) << vec4u(0, 8, 16, 24);
  return bytes.x | bytes.y | bytes.z | bytes.w;
}

const page_size = 16u;  // tokens

// From one page to the next.
fn page_stride(n_kv_heads: u32, head_dim4: u32) -> u32 {
  return n_kv_heads * page_size * (2 * head_dim4 + 1);
}

// Where the scales of a head in a slot are.
fn kv_scales_at(page: u32, kv_head: u32, slot: u32, n_kv_heads: u32, head_dim4: u32) -> u32 {
  let codes = 2 * n_kv_heads * page_size * head_dim4;
  return page * page_stride(n_kv_heads, head_dim4) + codes + kv_head * page_size + slot;
}

// unpack2x16float for scales. The least f16s, which that may flush, stay what they are; and where the
// scale was packed in the same kernel, no compiler takes the two for nothing.
fn unpack_scales(packed: u32) -> vec2f {
  let half = vec2u(packed & 0xffff, packed >> 16);
  let exponent = half >> vec2u(10);
  let fraction = half & vec2u(0x3ff);
  let mantissa = select(fraction, fraction | vec2u(0x400), exponent > vec2u());
  return ldexp(vec2f(mantissa), vec2i(max(exponent, vec2u(1))) - 25);
}

// What multiplies the key, and the value, of a head in a slot.
fn kv_scales(page: u32, kv_head: u32, slot: u32, n_kv_heads: u32, head_dim4: u32) -> vec2f {
  return unpack_scales(kv[kv_scales_at(page, kv_head, slot, n_kv_heads, head_dim4)]);
}
