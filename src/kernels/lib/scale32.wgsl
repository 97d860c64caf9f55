// The f16 scale of 32 values, number c of a row: a plane with one for each.
// uses: lib/weight_vec4u.wgsl

fn scale_of(row: u32, c: u32) -> f32 {
  let per_row = in_dim4() / 8;
  let pair = unpack2x16float(word_at(scales_at() + row * ((per_row + 1) / 2) + c / 2));
  return select(pair.x, pair.y, c % 2 == 1);
}
