enable f16;
// Dot products of weight rows with an input in 16 bits (lib/store_input.wgsl): of each eight values the
// products are summed in f16, then scaled and summed in f32. The kernel declares params.in_dim4 and says
// where the input lies (lib/input_f16.wgsl, lib/attended_f16.wgsl).
// uses: lib/half_{weight}.wgsl
// uses: lib/weight_vec4u.wgsl

// This invocation's share of sum over k of input[k] * weight[row,k]: every stride-th turn, from the
// first-th on.
fn row_dot(row: u32, first: u32, stride: u32) -> f32 {
  var sum = 0.0;
  for (var i = first; i < n_turns(); i += stride) {
    sum += turn_dot(row, i);
  }
  return sum;
}

// The same for two rows. Both name the same values of the input, which a compiler reads once.
fn row_dot2(rows: vec2u, first: u32, stride: u32) -> vec2f {
  var sums = vec2f();
  for (var i = first; i < n_turns(); i += stride) {
    sums += vec2f(turn_dot(rows.x, i), turn_dot(rows.y, i));
  }
  return sums;
}

// The same for four.
fn row_dot4(rows: vec4u, first: u32, stride: u32) -> vec4f {
  var sums = vec4f();
  for (var i = first; i < n_turns(); i += stride) {
    sums += vec4f(turn_dot(rows.x, i), turn_dot(rows.y, i), turn_dot(rows.z, i), turn_dot(rows.w, i));
  }
  return sums;
}
