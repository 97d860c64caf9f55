// int8_block: scale * code; signed 8-bit codes, an f32 scale for each group of values.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let per_row = params.in_dim4 / params.group4;
  let scale = bitcast<f32>(weight[params.scales_at + row * per_row + k4 / params.group4]);
  return scale * vec4f(codes_8bit(row, k4));
}
