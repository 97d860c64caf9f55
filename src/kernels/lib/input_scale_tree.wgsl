// What the norm multiplies its input by: 1 / sqrt(mean of squares + eps), from the sums of squares that
// lie behind the input; 1 where there are none. The kernel declares params.n_sums and params.eps.
// uses: lib/squares.wgsl
// uses: lib/reduce_tree.wgsl

// This invocation's share of the sums; asked for early, since they take their time to come. n_asking: the
// first so many invocations will want the factor.
fn squares_here(lane: u32, n_asking: u32) -> f32 {
  return sum_of_squares(lane, workgroup_size);
}

// Every invocation calls it, in uniform control flow.
fn input_scale(squares: f32, lane: u32) -> f32 {
  if (params.n_sums == 0) {
    return 1.0;
  }
  return norm_factor(workgroup_sum(squares, lane));
}
