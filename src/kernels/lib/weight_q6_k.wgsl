// q6_k: (d * scale) * (code - 32); 4 + 2 bits a code, a signed byte of scale for each 16 values, f16 d
// for each 256.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let d = f16_at(supers_at(), row, in_dim4() / 64, k4 / 64);
  let scale = d * f32(i8_at(scales_at(), row, in_dim4() / 4, k4 / 4));
  return scale * (vec4f(codes_4bit(row, k4) + 16 * high_2bit(row, k4)) - 32);
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1: one word of codes, one scale.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  let codes = codes_4bit_of(weight[row * (in_dim4() / 2) + k8]);
  let high = weight[high_at() + row * (in_dim4() / 4) + k8 / 2] >> (16 * (k8 % 2));
  let high0 = vec4f((vec4u(high) >> vec4u(0, 2, 4, 6)) & vec4u(3));
  let high1 = vec4f((vec4u(high) >> vec4u(8, 10, 12, 14)) & vec4u(3));
  let d = f16_at(supers_at(), row, in_dim4() / 64, k8 / 32);
  let scale = d * f32(i8_at(scales_at(), row, in_dim4() / 4, k8 / 2));
  return scale * (dot(x0, codes[0] + 16 * high0 - 32) + dot(x1, codes[1] + 16 * high1 - 32));
}
