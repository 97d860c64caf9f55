// q6_k (lib/weight_q6_k.wgsl) times an input in 8 bits: (d * scale) * (code - 32), a scale for 16 values.
// uses: lib/int8_nibbles.wgsl

// The eight codes of a word of lower bits, whose upper two bits are 16 bits in their order.
fn dot8_6bit(codes: u32, upper: u32, x: vec2u) -> f32 {
  let by_8 = (upper | (upper << 8)) & 0x00ff00ff;
  let by_4 = (by_8 | (by_8 << 4)) & 0x0f0f0f0f;  // a byte: the bits of an even code, then of an odd one
  let even = (codes & 0x0f0f0f0f) | ((by_4 & 0x03030303) << 4);
  let odd = ((codes >> 4) & 0x0f0f0f0f) | ((by_4 & 0x0c0c0c0c) << 2);
  return f32(dot4I8Packed(even, x.x) + dot4I8Packed(odd, x.y));
}

fn dot32(row: u32, c: u32, x: Chunk) -> f32 {
  let at = row * n_chunks() + c;
  let codes = weight[at];
  let upper = vec2u(word_at(high_at() + 2 * at), word_at(high_at() + 2 * at + 1));
  let dots = vec4f(dot8_6bit(codes.x, upper.x & 0xffff, x.low.xy),
                   dot8_6bit(codes.y, upper.x >> 16, x.low.zw),
                   dot8_6bit(codes.z, upper.y & 0xffff, x.high.xy),
                   dot8_6bit(codes.w, upper.y >> 16, x.high.zw));
  let scaled = x.scales * dots - 32 * chunk_sums(c);
  let d = unpack2x16float(word_at(supers_at() + row * ((n_chunks() / 8 + 1) / 2) + c / 16));
  let scales = word_at(scales_at() + at / 2) >> (16 * (c % 2));
  let first = f32(i32(scales << 24) >> 24);
  let second = f32(i32(scales << 16) >> 24);
  return select(d.x, d.y, (c / 8) % 2 == 1) *
         (first * (scaled.x + scaled.y) + second * (scaled.z + scaled.w));
}
