// A weight of f32 values: row after row, four to an element.
// uses: lib/packed4_f32.wgsl

alias weight_word = packed4;

// Values 4 * k4 .. 4 * k4 + 3 of a row.
fn weight4(row: u32, k4: u32) -> vec4f {
  return unpack4(weight[row * params.in_dim4 + k4]);
}
