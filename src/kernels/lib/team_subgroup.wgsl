enable subgroups;
diagnostic(off, subgroup_uniformity);
// A team: the invocations that work on one dot product together. Here one subgroup, which needs no
// barrier, or a few where there are too few rows to keep a GPU's memory busy; each of them is a part,
// whose sums the reader adds up.
// uses: lib/subgroup_size.wgsl

override parts_per_team: u32 = 1;

struct Team {
  index: u32,      // of this invocation's team
  lane: u32,       // within it
  size: u32,
  count: u32,      // teams of the workgroup
  part: u32,       // of the team, this invocation's
  part_lane: u32,  // within it
}

fn team_of(lane: u32) -> Team {
  let part_size = subgroup_size_here();
  let size = parts_per_team * part_size;
  return Team(lane / size, lane % size, size, workgroup_size / size, lane % size / part_size, lane % part_size);
}

// Every invocation of the workgroup calls these, in uniform control flow.
fn part_sum(value: f32, lane: u32) -> f32 {
  return subgroupAdd(value);
}

fn part_sum2(values: vec2f, lane: u32) -> vec2f {
  return subgroupAdd(values);
}

fn part_sum4(values: vec4f, lane: u32) -> vec4f {
  return subgroupAdd(values);
}

fn part_max(value: f32, lane: u32) -> f32 {
  return subgroupMax(value);
}
