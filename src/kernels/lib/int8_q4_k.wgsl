// q4_k (lib/weight_q4_k.wgsl) times an input in 8 bits: (d * scale) * code - dmin * minimum.
// uses: lib/int8_nibbles.wgsl

fn dot32(row: u32, c: u32, x: Chunk) -> f32 {
  let dots = dots32_unsigned(weight[row * n_chunks() + c], x);
  let d = unpack2x16float(word_at(supers_at() + (row * n_chunks() + c) / 8));
  let pair = word_at(scales_at() + (row * n_chunks() + c) / 2) >> (16 * (c % 2));
  return d.x * f32(pair & 255) * dot(x.scales, dots) -
         d.y * f32((pair >> 8) & 255) * dot(chunk_sums(c), vec4f(1));
}
