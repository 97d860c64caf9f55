// What the norm multiplies its input by: 1 / sqrt(mean of squares + eps), from the sums of squares that
// lie behind the input; 1 where there are none. The kernel declares params.n_sums and params.eps.
// uses: lib/reduce_{reduce}.wgsl

// This invocation's share of the sums; asked for early, since they take their time to come.
fn squares_here(lane: u32) -> f32 {
  var sum = 0.0;
  for (var i = lane; i < params.n_sums; i += workgroup_size) {
    let at = input_words() + i;
    sum += bitcast<f32>(input[at / 4][at % 4]);
  }
  return sum;
}

// Every invocation calls it, in uniform control flow.
fn input_scale(squares: f32, lane: u32) -> f32 {
  if (params.n_sums == 0) {
    return 1.0;
  }
  return inverseSqrt(workgroup_sum(squares, lane) / f32(4 * params.in_dim4) + params.eps);
}
