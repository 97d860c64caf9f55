// q8_0: scale * code; signed 8-bit codes, an f16 scale for each 32 values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(params.scales_at, row, params.in_dim4 / 8, k4 / 8);
  return scale * vec4f(codes_8bit(row, k4));
}
