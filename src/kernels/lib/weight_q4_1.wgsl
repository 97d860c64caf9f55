// q4_1: scale * code + minimum; 4-bit codes, an f16 scale and minimum for each group of values. MLX's
// affine type is the same with larger groups.
// uses: lib/planes.wgsl

fn weight4(row: u32, k4: u32) -> vec4f {
  let scale_min = f16_pair_at(params.scales_at, row, params.in_dim4 / params.group4, k4 / params.group4);
  return scale_min.x * vec4f(codes_4bit(row, k4)) + scale_min.y;
}
