// q5_0: scale * (code - 16); 4 + 1 bits a code, an f16 scale for each 32 values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(params.scales_at, row, params.in_dim4 / 8, k4 / 8);
  return scale * (vec4f(codes_4bit(row, k4) + 16 * high_1bit(row, k4)) - 16);
}
