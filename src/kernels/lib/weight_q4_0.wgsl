// q4_0: scale * (code - 8); 4-bit codes, an f16 scale for each 32 values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(scales_at(), row, in_dim4() / 8, k4 / 8);
  return scale * (vec4f(codes_4bit(row, k4)) - 8);
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1: one word of codes, one scale.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  let codes = codes_4bit_of(weight[row * (in_dim4() / 2) + k8]);
  let scale = f16_at(scales_at(), row, in_dim4() / 8, k8 / 4);
  return scale * (dot(x0, codes[0] - 8) + dot(x1, codes[1] - 8));
}
