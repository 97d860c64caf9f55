// An input in f32 as lib/store_input.wgsl leaves it, which the kernel binds as input: array<vec4u>.

fn input4(k4: u32) -> vec4f {
  return bitcast<vec4f>(input[k4]);
}

// Words before the sums of squares.
fn input_words() -> u32 {
  return 4 * in_dim4();
}
