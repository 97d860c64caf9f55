enable f16;
// 4-bit codes times an input in 16 bits, 32 values a turn: 16 bytes of codes, a scale.
// uses: lib/scale32.wgsl

fn n_turns() -> u32 {
  return params.in_dim4 / 8;
}

// The sum of (code - zero) * x over eight values, which lie in pairs of i and i + 4. A code in the lower
// bits of 1024 is that and the code.
fn dot8_halves(codes: u32, x: vec4u, zero: f16) -> f32 {
  let offset = vec2h(1024.0h + zero);
  var sum = (bitcast<vec2h>((codes & 0x000f000f) | 0x64006400) - offset) * bitcast<vec2h>(x.x);
  sum = fma(bitcast<vec2h>(((codes >> 4) & 0x000f000f) | 0x64006400) - offset, bitcast<vec2h>(x.y), sum);
  sum = fma(bitcast<vec2h>(((codes >> 8) & 0x000f000f) | 0x64006400) - offset, bitcast<vec2h>(x.z), sum);
  sum = fma(bitcast<vec2h>(((codes >> 12) & 0x000f000f) | 0x64006400) - offset, bitcast<vec2h>(x.w), sum);
  return f32(sum.x) + f32(sum.y);
}

fn turn_dot_nibbles(row: u32, turn: u32, zero: f16) -> f32 {
  let codes = weight[row * (in_dim4() / 8) + turn];
  let b = 4 * turn;
  let dots = vec4f(dot8_halves(codes.x, halves_at(b), zero), dot8_halves(codes.y, halves_at(b + 1), zero),
                   dot8_halves(codes.z, halves_at(b + 2), zero), dot8_halves(codes.w, halves_at(b + 3), zero));
  return scale_of(row, turn) *
         dot(dots, vec4f(block_scale(b), block_scale(b + 1), block_scale(b + 2), block_scale(b + 3)));
}
