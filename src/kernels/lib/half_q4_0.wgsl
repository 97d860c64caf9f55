// q4_0 (lib/weight_q4_0.wgsl) times an input in 16 bits: scale * (code - 8).
// uses: lib/half_nibbles.wgsl

fn turn_dot(row: u32, turn: u32) -> f32 {
  return turn_dot_nibbles(row, turn, 8);
}
