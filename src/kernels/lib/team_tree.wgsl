// A team: the invocations that work on one dot product together. Here the whole workgroup.
// uses: lib/reduce_tree.wgsl

struct Team {
  index: u32,  // of this invocation's team
  lane: u32,   // within it
  size: u32,
  count: u32,  // teams of the workgroup
}

fn team_of(lane: u32) -> Team {
  return Team(0, lane, workgroup_size, 1);
}

// Every invocation of the workgroup calls it, in uniform control flow.
fn team_sum2(values: vec2f, lane: u32) -> vec2f {
  return vec2f(workgroup_sum(values.x, lane), workgroup_sum(values.y, lane));
}

fn team_sum(value: f32, lane: u32) -> f32 {
  return workgroup_sum(value, lane);
}

fn team_sum4(values: vec4f, lane: u32) -> vec4f {
  return workgroup_sum4(values, lane);
}

fn team_max(value: f32, lane: u32) -> f32 {
  return workgroup_max(value, lane);
}
