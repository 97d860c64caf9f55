// A team: the invocations that work on one dot product together. Here the whole workgroup.
// uses: lib/reduce_tree.wgsl

struct Team {
  index: u32,  // of this invocation's team
  lane: u32,   // within it
  size: u32,
}

fn team_of(lane: u32) -> Team {
  return Team(0, lane, workgroup_size);
}

// Teams of a workgroup. No member of Team: beside the lane it would not count as uniform, and rounds
// of a loop that holds a barrier are counted with it.
fn team_count(team: Team) -> u32 {
  return 1u;
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return workgroup_sum(value, lane);
}

fn team_max(value: f32, lane: u32) -> f32 {
  return workgroup_max(value, lane);
}
