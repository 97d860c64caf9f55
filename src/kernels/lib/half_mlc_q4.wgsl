// mlc_q4 (lib/weight_mlc_q4.wgsl) times an input in 16 bits: scale * (code - 7).
// uses: lib/half_nibbles.wgsl

fn turn_dot(row: u32, turn: u32) -> f32 {
  return turn_dot_nibbles(row, turn, 7);
}
