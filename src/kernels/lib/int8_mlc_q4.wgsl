// mlc_q4 (lib/weight_mlc_q4.wgsl) times an input in 8 bits: scale * (code - 7).
// uses: lib/int8_nibbles.wgsl
// uses: lib/scale32.wgsl

fn dot32(row: u32, c: u32, x: Chunk) -> f32 {
  let dots = dots32_signed16(weight[row * n_chunks() + c], x);
  return scale_of(row, c) * (dot(x.scales, dots) * (1.0 / 16) + dot(chunk_sums(c), vec4f(1)));
}
