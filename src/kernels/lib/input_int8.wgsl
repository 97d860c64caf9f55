// An input in 8 bits as lib/store_input.wgsl leaves it, which the kernel binds as input: array<vec4u>.

fn chunk_at(c: u32) -> Chunk {
  let n = n_chunks();
  return Chunk(input[c], input[n + c], bitcast<vec4f>(input[2 * n + c]));
}

// The sum of each eight values of a chunk, scaled.
fn chunk_sums(c: u32) -> vec4f {
  return bitcast<vec4f>(input[3 * n_chunks() + c]);
}

// Words before the sums of squares.
fn input_words() -> u32 {
  return 16 * n_chunks();
}
