// How a key or a value becomes 8 bits: round(x / scale), with scale = max|x| / 127. A scale is rounded to f16
// before it is used, and is at least 2^-24, the least f16; a row of zeros stays zeros. Codes go to the
// nearest, ties to even, within [-127, 127].
// uses: lib/kv_int8.wgsl

const least_scale = 0x1p-24f;
const largest_scale = 65504.0;

fn largest_of(x: vec4f) -> f32 {
  let a = abs(x);
  return max(max(a.x, a.y), max(a.z, a.w));
}

// The scales of a key and of its value, in f16, the key's in the low half.
fn pack_scales(largest: vec2f) -> u32 {
  // A product, because WGSL rounds it correctly and a quotient not.
  return pack2x16float(clamp(largest * (1.0 / 127.0), vec2f(least_scale), vec2f(largest_scale)));
}

fn codes(x: vec4f, scale: f32) -> kv_word {
  // A device may write the least f16s as zero.
  let exact = select(vec4f(), x / scale, scale > 0.0);
  return pack_kv(clamp(round(exact), vec4f(-127.0), vec4f(127.0)));
}
