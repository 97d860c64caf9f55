enable subgroups;
diagnostic(off, subgroup_uniformity);
// As lib/input_scale_tree.wgsl, but each subgroup that asks adds up all sums, which takes no barrier.
// uses: lib/squares.wgsl
// uses: lib/subgroup_size.wgsl

fn squares_here(lane: u32, n_asking: u32) -> f32 {
  let size = subgroup_size_here();
  if (lane - lane % size >= n_asking) {
    return 0.0;
  }
  return sum_of_squares(lane % size, size);
}

fn input_scale(squares: f32, lane: u32) -> f32 {
  if (params.n_sums == 0) {
    return 1.0;
  }
  return norm_factor(subgroupAdd(squares));
}
