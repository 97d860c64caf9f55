// Dot products of weight rows with an input in 8 bits (lib/store_input.wgsl): whole numbers, a scale
// for eight of them. A lane takes 32 values at a time: then it reads 16 bytes of 4-bit codes, and its
// neighbour the next 16. The kernel declares params.in_dim4 and turns_at_once, and says where the input
// lies (lib/input_int8.wgsl, lib/attended_int8.wgsl).
// uses: lib/int8_{weight}.wgsl
// uses: lib/weight_vec4u.wgsl

// 32 values: two words for each eight of them, and what scales those.
struct Chunk {
  low: vec4u,    // of values 0 to 15
  high: vec4u,   // of values 16 to 31
  scales: vec4f,
}

// Of a row. Loops over them are counted by params instead (lib/shape.wgsl).
fn n_chunks() -> u32 {
  return in_dim4() / 8;
}

fn dot32_at(row: u32, c: u32) -> f32 {
  return dot32(row, c, chunk_at(c));
}

fn row_dot(row: u32, first: u32, stride: u32) -> f32 {
  var sum = 0.0;
  if (turns_at_once == 4) {
    for (var c = first; c < params.in_dim4 / 8; c += 4 * stride) {
      sum += dot32_at(row, c) + dot32_at(row, c + stride) + dot32_at(row, c + 2 * stride) +
             dot32_at(row, c + 3 * stride);
    }
    return sum;
  }
  for (var c = first; c < params.in_dim4 / 8; c += stride) {
    sum += dot32_at(row, c);
  }
  return sum;
}

// The same for two rows, which share what is read of the input.
fn row_dot2(rows: vec2u, first: u32, stride: u32) -> vec2f {
  var sums = vec2f();
  for (var c = first; c < params.in_dim4 / 8; c += stride) {
    let x = chunk_at(c);
    sums += vec2f(dot32(rows.x, c, x), dot32(rows.y, c, x));
  }
  return sums;
}

// The same for four.
fn row_dot4(rows: vec4u, first: u32, stride: u32) -> vec4f {
  var sums = vec4f();
  for (var c = first; c < params.in_dim4 / 8; c += stride) {
    let x = chunk_at(c);
    sums += vec4f(dot32(rows.x, c, x), dot32(rows.y, c, x), dot32(rows.z, c, x), dot32(rows.w, c, x));
  }
  return sums;
}
