// A team: the invocations that work on one dot product together. Here the whole workgroup.
// uses: lib/reduce_tree.wgsl

struct Team {
  index: u32,  // of this invocation's team
  lane: u32,   // within it
  size: u32,
  count: u32,  // teams of a workgroup
}

fn team_of(lane: u32) -> Team {
  return Team(0, lane, workgroup_size, 1);
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return workgroup_sum(value, lane);
}
