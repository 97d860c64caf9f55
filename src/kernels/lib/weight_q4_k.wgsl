// q4_k: (d * scale) * code - dmin * minimum; 4-bit codes, a byte of scale and a byte of minimum for
// each 32 values, f16 d and dmin for each 256.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let d = f16_pair_at(params.supers_at, row, params.in_dim4 / 64, k4 / 64);
  let scale = d.x * f32(u8_at(params.scales_at, row, params.in_dim4 / 4, k4 / 8 * 2));
  let minimum = d.y * f32(u8_at(params.scales_at, row, params.in_dim4 / 4, k4 / 8 * 2 + 1));
  return scale * vec4f(codes_4bit(row, k4)) - minimum;
}
