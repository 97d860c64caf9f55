// mlc_q3: scale * (code - 3); 2 + 1 bits a code, an f16 scale for each 40 values of a row (MLC
// q3f16_1).
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(scales_at(), row, (in_dim4() + 9) / 10, k4 / 10);
  return scale * (vec4f(codes_2bit(row, k4) + 4 * high_1bit(row, k4)) - 3);
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
