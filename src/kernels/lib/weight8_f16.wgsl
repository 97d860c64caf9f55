// A weight of f16 values in rows of whole eights, which are read at once: half the loads of
// lib/weight_f16.wgsl. Needs no shader-f16.
// uses: lib/weight_vec4u.wgsl

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  let w = weight[row * (in_dim4() / 2) + k8];
  return dot(x0, vec4f(unpack2x16float(w.x), unpack2x16float(w.y))) +
         dot(x1, vec4f(unpack2x16float(w.z), unpack2x16float(w.w)));
}
