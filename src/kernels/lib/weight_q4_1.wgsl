// q4_1: scale * code + minimum; 4-bit codes, an f16 scale and minimum for each group of values. MLX's
// affine type is the same with larger groups.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale_min = f16_pair_at(scales_at(), row, in_dim4() / group4(), k4 / group4());
  return scale_min.x * vec4f(codes_4bit(row, k4)) + scale_min.y;
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1: one word of codes, one scale.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  let codes = codes_4bit_of(weight[row * (in_dim4() / 2) + k8]);
  let group8 = group4() / 2;
  let scale_min = f16_pair_at(scales_at(), row, in_dim4() / group4(), k8 / group8);
  let sum = dot(x0 + x1, vec4f(1));
  return scale_min.x * (dot(x0, codes[0]) + dot(x1, codes[1])) + scale_min.y * sum;
}
