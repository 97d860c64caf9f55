// A weight of f32 values: row after row, four to an element.
// uses: lib/packed4_f32.wgsl
// uses: lib/shape.wgsl

alias weight_word = packed4;

// Values 4 * k4 .. 4 * k4 + 3 of a row.
fn weight4(row: u32, k4: u32) -> vec4f {
  return unpack4(weight[row * in_dim4() + k4]);
}

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  return dot(x0, weight4(row, 2 * k8)) + dot(x1, weight4(row, 2 * k8 + 1));
}
