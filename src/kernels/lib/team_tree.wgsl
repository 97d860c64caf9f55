// A team: the invocations that work on one dot product together. Here the whole workgroup.
// uses: lib/reduce_tree.wgsl

fn team_index(lane: u32) -> u32 {
  return 0u;
}

fn team_count() -> u32 {
  return 1u;
}

fn team_lane(lane: u32) -> u32 {
  return lane;
}

fn team_size() -> u32 {
  return workgroup_size;
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return workgroup_sum(value, lane);
}
