// A team: the invocations that work on one dot product together. Here the whole workgroup, in one part.
// uses: lib/reduce_tree.wgsl

const parts_per_team = 1u;

struct Team {
  index: u32,      // of this invocation's team
  lane: u32,       // within it
  size: u32,
  count: u32,      // teams of the workgroup
  part: u32,       // of the team, this invocation's
  part_lane: u32,  // within it
}

fn team_of(lane: u32) -> Team {
  return Team(0, lane, workgroup_size, 1, 0, lane);
}

// Every invocation of the workgroup calls these, in uniform control flow.
fn part_sum(value: f32, lane: u32) -> f32 {
  return workgroup_sum(value, lane);
}

fn part_sum2(values: vec2f, lane: u32) -> vec2f {
  return vec2f(workgroup_sum(values.x, lane), workgroup_sum(values.y, lane));
}

fn part_sum4(values: vec4f, lane: u32) -> vec4f {
  return workgroup_sum4(values, lane);
}

fn part_max(value: f32, lane: u32) -> f32 {
  return workgroup_max(value, lane);
}
