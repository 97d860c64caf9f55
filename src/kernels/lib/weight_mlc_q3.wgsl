// mlc_q3: scale * (code - 3); 2 + 1 bits a code, an f16 scale for each 40 values of a row (MLC
// q3f16_1).
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale = f16_at(params.scales_at, row, (params.in_dim4 + 9) / 10, k4 / 10);
  return scale * (vec4f(codes_2bit(row, k4) + 4 * high_1bit(row, k4)) - 3);
}
