requires packed_4x8_integer_dot_product;
// Eight 4-bit codes of a word times eight values: the first of the two words of values belongs to the
// lower half of each byte of codes.

// Of codes 0 to 15.
fn dot8_unsigned(codes: u32, x: vec2u) -> f32 {
  return f32(dot4I8Packed(codes & 0x0f0f0f0f, x.x) + dot4I8Packed((codes >> 4) & 0x0f0f0f0f, x.y));
}

// Of codes less 8, times 16: in the upper half of a byte, with its first bit turned, such a code is a
// whole number of two's complement.
fn dot8_signed16(codes: u32, x: vec2u) -> f32 {
  return f32(dot4I8Packed(((codes << 4) ^ 0x80808080) & 0xf0f0f0f0, x.x) +
             dot4I8Packed((codes ^ 0x80808080) & 0xf0f0f0f0, x.y));
}

fn dots32_unsigned(codes: vec4u, x: Chunk) -> vec4f {
  return vec4f(dot8_unsigned(codes.x, x.low.xy), dot8_unsigned(codes.y, x.low.zw),
               dot8_unsigned(codes.z, x.high.xy), dot8_unsigned(codes.w, x.high.zw));
}

fn dots32_signed16(codes: vec4u, x: Chunk) -> vec4f {
  return vec4f(dot8_signed16(codes.x, x.low.xy), dot8_signed16(codes.y, x.low.zw),
               dot8_signed16(codes.z, x.high.xy), dot8_signed16(codes.w, x.high.zw));
}
