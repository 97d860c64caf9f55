// The sums of squares behind an input (lib/store_input.wgsl). The kernel declares params.n_sums,
// params.eps and params.in_dim4.

// Of every stride-th four of them, from the first-th on.
fn sum_of_squares(first: u32, stride: u32) -> f32 {
  var sum = 0.0;
  for (var i = first; 4 * i < params.n_sums; i += stride) {
    let four = bitcast<vec4f>(input[input_words() / 4 + i]);
    sum += dot(select(vec4f(), four, 4 * i + vec4u(0, 1, 2, 3) < vec4u(params.n_sums)), vec4f(1));
  }
  return sum;
}

fn norm_factor(total: f32) -> f32 {
  return inverseSqrt(total / f32(4 * in_dim4()) + params.eps);
}
