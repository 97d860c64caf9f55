// q8_0: scale * code; signed 8-bit codes, an f16 scale for each 32 values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(scales_at(), row, in_dim4() / 8, k4 / 8);
  return scale * vec4f(codes_8bit(row, k4));
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1: one word of codes, one scale.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  let scale = f16_at(scales_at(), row, in_dim4() / 8, k8 / 4);
  let c0 = vec4f(codes_8bit(row, 2 * k8));
  let c1 = vec4f(codes_8bit(row, 2 * k8 + 1));
  return scale * (dot(x0, c0) + dot(x1, c1));
}
