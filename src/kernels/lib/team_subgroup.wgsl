enable subgroups;
diagnostic(off, subgroup_uniformity);
// A team: the invocations that work on one dot product together. Here one subgroup, which needs no
// barrier. A subgroup larger than the workgroup counts only the invocations that exist.

struct Team {
  index: u32,  // of this invocation's team
  lane: u32,   // within it
  size: u32,
}

fn team_of(lane: u32) -> Team {
  let size = subgroupAdd(1u);
  return Team(lane / size, lane % size, size);
}

// Teams of a workgroup: a function of its own, since a number that barriers depend on must not come
// from a struct that also holds a lane.
fn team_count() -> u32 {
  return workgroup_size / subgroupAdd(1u);
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return subgroupAdd(value);
}
