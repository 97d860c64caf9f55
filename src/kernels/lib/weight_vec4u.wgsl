// A weight whose planes are read 16 bytes at a time.
// uses: lib/shape.wgsl

alias weight_word = vec4u;

// A word of a plane that begins at word `at`.
fn word_at(at: u32) -> u32 {
  return weight[at / 4][at % 4];
}
