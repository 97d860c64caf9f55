// q5_1: scale * code + minimum; 4 + 1 bits a code, an f16 scale and minimum for each 32 values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale_min = f16_pair_at(scales_at(), row, in_dim4() / 8, k4 / 8);
  return scale_min.x * vec4f(codes_4bit(row, k4) + 16 * high_1bit(row, k4)) + scale_min.y;
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
