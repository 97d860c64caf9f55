enable subgroups;
diagnostic(off, subgroup_uniformity);
// A team: the invocations that work on one dot product together. Here one subgroup, which needs no
// barrier. A subgroup larger than the workgroup counts only the invocations that exist.
// uses: lib/subgroup_size.wgsl

struct Team {
  index: u32,  // of this invocation's team
  lane: u32,   // within it
  size: u32,
}

fn team_of(lane: u32) -> Team {
  let size = subgroup_size_here();
  return Team(lane / size, lane % size, size);
}

// Teams of a workgroup. No member of Team: beside the lane it would not count as uniform, and rounds
// of a loop that holds a barrier are counted with it.
fn team_count(team: Team) -> u32 {
  return workgroup_size / team.size;
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return subgroupAdd(value);
}

fn team_max(value: f32, lane: u32) -> f32 {
  return subgroupMax(value);
}
