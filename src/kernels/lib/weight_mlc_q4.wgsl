// mlc_q4: scale * (code - 7); 4-bit codes, an f16 scale for each 32 values (MLC q4f16_1).
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(params.scales_at, row, params.in_dim4 / 8, k4 / 8);
  return scale * (vec4f(codes_4bit(row, k4)) - 7);
}
