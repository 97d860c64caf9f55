enable subgroups;
diagnostic(off, subgroup_uniformity);
// A team: the invocations that work on one dot product together. Here one subgroup, which needs no
// barrier. A subgroup larger than the workgroup counts only the invocations that exist.

fn team_size() -> u32 {
  return subgroupAdd(1u);
}

fn team_index(lane: u32) -> u32 {
  return lane / team_size();
}

fn team_count() -> u32 {
  return workgroup_size / team_size();
}

fn team_lane(lane: u32) -> u32 {
  return subgroupExclusiveAdd(1u);
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return subgroupAdd(value);
}
