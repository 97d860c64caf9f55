// int8_block: scale * code; signed 8-bit codes, an f32 scale for each group of values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let per_row = in_dim4() / group4();
  let scale = bitcast<f32>(weight[scales_at() + row * per_row + k4 / group4()]);
  return scale * vec4f(codes_8bit(row, k4));
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
