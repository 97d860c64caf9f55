requires packed_4x8_integer_dot_product;
// q8_0 (lib/weight_q8_0.wgsl) times an input in 8 bits: scale * code, codes of a byte in their order.
// uses: lib/scale32.wgsl

fn dot8_bytes(codes: vec2u, x: vec2u) -> f32 {
  return f32(dot4I8Packed(codes.x, x.x) + dot4I8Packed(codes.y, x.y));
}

fn dot32(row: u32, c: u32, x: Chunk) -> f32 {
  let low = weight[2 * (row * n_chunks() + c)];
  let high = weight[2 * (row * n_chunks() + c) + 1];
  let dots = vec4f(dot8_bytes(low.xy, x.low.xy), dot8_bytes(low.zw, x.low.zw),
                   dot8_bytes(high.xy, x.high.xy), dot8_bytes(high.zw, x.high.zw));
  return scale_of(row, c) * dot(x.scales, dots);
}
