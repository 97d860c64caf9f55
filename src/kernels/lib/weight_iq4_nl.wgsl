// iq4_nl: scale * level[code]; 4-bit codes into 16 uneven levels, an f16 scale for each 32 values.
// uses: lib/planes.wgsl

const level = array<f32, 16>(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(scales_at(), row, in_dim4() / 8, k4 / 8);
  let code = codes_4bit(row, k4);
  return scale * vec4f(level[code.x], level[code.y], level[code.z], level[code.w]);
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
