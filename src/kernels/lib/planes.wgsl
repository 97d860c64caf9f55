// Planes of a quantised weight, all in one buffer of words (base/planes.h): codes from word 0, scales
// from scales_at(), and where the type has them scales of 256 values (supers) and upper bits of
// the codes. In every plane a row begins at a word of its own; the first value lies lowest.
// uses: lib/shape.wgsl

alias weight_word = u32;

// Four neighbouring codes of a row, by their width.
fn codes_2bit(row: u32, k4: u32) -> vec4u {
  let word = weight[row * (in_dim4() / 4) + k4 / 4];
  return (vec4u(word >> (8 * (k4 % 4))) >> vec4u(0, 2, 4, 6)) & vec4u(3);
}

fn codes_4bit(row: u32, k4: u32) -> vec4u {
  let word = weight[row * (in_dim4() / 2) + k4 / 2];
  return (vec4u(word >> (16 * (k4 % 2))) >> vec4u(0, 4, 8, 12)) & vec4u(15);
}

fn codes_8bit(row: u32, k4: u32) -> vec4i {
  let word = weight[row * in_dim4() + k4];
  return vec4i(vec4u(word) << vec4u(24, 16, 8, 0)) >> vec4u(24);
}

// The eight codes of a word, as two vectors of four.
fn codes_4bit_of(word: u32) -> array<vec4f, 2> {
  return array<vec4f, 2>(vec4f((vec4u(word) >> vec4u(0, 4, 8, 12)) & vec4u(15)),
                         vec4f((vec4u(word) >> vec4u(16, 20, 24, 28)) & vec4u(15)));
}

fn high_1bit(row: u32, k4: u32) -> vec4u {
  let word = weight[high_at() + row * (in_dim4() / 8) + k4 / 8];
  return (vec4u(word >> (4 * (k4 % 8))) >> vec4u(0, 1, 2, 3)) & vec4u(1);
}

fn high_2bit(row: u32, k4: u32) -> vec4u {
  let word = weight[high_at() + row * (in_dim4() / 4) + k4 / 4];
  return (vec4u(word >> (8 * (k4 % 4))) >> vec4u(0, 2, 4, 6)) & vec4u(3);
}

// Number `i` of a row in a plane at `at`, `per_row` numbers a row.
fn f16_at(at: u32, row: u32, per_row: u32, i: u32) -> f32 {
  let pair = unpack2x16float(weight[at + row * ((per_row + 1) / 2) + i / 2]);
  return select(pair.x, pair.y, i % 2 == 1);
}

fn u8_at(at: u32, row: u32, per_row: u32, i: u32) -> u32 {
  return (weight[at + row * ((per_row + 3) / 4) + i / 4] >> (8 * (i % 4))) & 255;
}

fn i8_at(at: u32, row: u32, per_row: u32, i: u32) -> i32 {
  return i32(u8_at(at, row, per_row, i) << 24) >> 24;
}

fn f16_pair_at(at: u32, row: u32, per_row: u32, i: u32) -> vec2f {
  return unpack2x16float(weight[at + row * per_row + i]);
}
