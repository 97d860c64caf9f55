// mxfp4: 2^(e - 127) * level[code]; a 4-bit code is sign, two bits of exponent and one of mantissa; a
// byte e for each 32 values. Source: OCP Microscaling Formats specification 1.0.
// uses: lib/planes.wgsl

const level = array<f32, 16>(0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6);

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = bitcast<f32>(u8_at(scales_at(), row, in_dim4() / 8, k4 / 8) << 23);
  let code = codes_4bit(row, k4);
  return scale * vec4f(level[code.x], level[code.y], level[code.z], level[code.w]);
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
