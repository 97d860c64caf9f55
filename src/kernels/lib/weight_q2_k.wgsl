// q2_k: (d * scale) * code - dmin * minimum; 2-bit codes, a byte (4-bit scale, 4-bit minimum above)
// for each 16 values, f16 d and dmin for each 256.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let d = f16_pair_at(supers_at(), row, in_dim4() / 64, k4 / 64);
  let scale_min = u8_at(scales_at(), row, in_dim4() / 4, k4 / 4);
  let scale = d.x * f32(scale_min & 15);
  let minimum = d.y * f32(scale_min >> 4);
  return scale * vec4f(codes_2bit(row, k4)) - minimum;
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
