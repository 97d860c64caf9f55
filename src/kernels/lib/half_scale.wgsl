// The f16 scale of 32 values of a row: a plane with one for each.
fn half_scale_of(row: u32, turn: u32) -> f32 {
  let pair = unpack2x16float(word_at(params.scales_at + row * ((n_turns() + 1) / 2) + turn / 2));
  return select(pair.x, pair.y, turn % 2 == 1);
}
