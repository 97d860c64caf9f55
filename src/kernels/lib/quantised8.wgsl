// Eight neighbouring values in 8 bits: code * scale, scale = largest of the eight / 127.

struct Eight {
  codes: vec2u,  // the even ones, then the odd ones, for weights with 4-bit codes; else in their order
  scale: f32,
  sum: f32,      // of all, scaled
}

fn packed_bytes(codes: vec4i) -> u32 {
  let bytes = (bitcast<vec4u>(codes) & vec4u(255)) << vec4u(0, 8, 16, 24);
  return bytes.x | bytes.y | bytes.z | bytes.w;
}

fn quantised8(a: vec4f, b: vec4f, for_nibbles: bool) -> Eight {
  let larger = max(abs(a), abs(b));
  let largest = max(max(larger.x, larger.y), max(larger.z, larger.w));
  let scale = largest * (1.0 / 127);
  let inverse = select(0.0, 127 / largest, largest > 0x1p-120f);
  let codes_a = vec4i(round(a * inverse));
  let codes_b = vec4i(round(b * inverse));
  var codes = vec2u(packed_bytes(codes_a), packed_bytes(codes_b));
  if (for_nibbles) {
    codes = vec2u(packed_bytes(vec4i(codes_a.xz, codes_b.xz)), packed_bytes(vec4i(codes_a.yw, codes_b.yw)));
  }
  let total = codes_a + codes_b;
  return Eight(codes, scale, scale * f32(total.x + total.y + total.z + total.w));
}
