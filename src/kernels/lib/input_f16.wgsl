// An input in 16 bits as lib/store_input.wgsl leaves it, which the kernel binds as input: array<vec4u>.

fn halves_at(block: u32) -> vec4u {
  return input[block];
}

fn block_scale(block: u32) -> f32 {
  let n_blocks = in_dim4() / 2;
  return bitcast<f32>(input[n_blocks + block / 4][block % 4]);
}

// Words before the sums of squares.
fn input_words() -> u32 {
  return (5 * (in_dim4() / 2) + 3) / 4 * 4;
}
