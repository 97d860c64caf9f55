// The f16 scale of chunk c of a row: a plane with one for each 32 values.
fn scale_of(row: u32, c: u32) -> f32 {
  let pair = unpack2x16float(word_at(params.scales_at + row * ((n_chunks() + 1) / 2) + c / 2));
  return select(pair.x, pair.y, c % 2 == 1);
}
