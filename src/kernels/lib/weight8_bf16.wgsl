// A weight of bf16 values in rows of whole eights, which are read at once: half the loads of
// lib/weight_bf16.wgsl. A bf16 is the upper half of the f32 with the same value.
// uses: lib/weight_vec4u.wgsl

// The dot product of values 8 * k8 .. 8 * k8 + 7 of a row with x0 and x1.
fn dot8(row: u32, k8: u32, x0: vec4f, x1: vec4f) -> f32 {
  let w = weight[row * (in_dim4() / 2) + k8];
  let even = bitcast<vec4f>(w << vec4u(16));
  let odd = bitcast<vec4f>(w & vec4u(0xffff0000));
  return dot(x0, vec4f(even.x, odd.x, even.y, odd.y)) + dot(x1, vec4f(even.z, odd.z, even.w, odd.w));
}
