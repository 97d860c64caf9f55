enable subgroups;
diagnostic(off, subgroup_uniformity);
// A team: the invocations that work on one dot product together. Here one subgroup, which needs no
// barrier, or a few where there are too few rows to keep a GPU's memory busy.
// uses: lib/subgroup_size.wgsl

override subgroups_per_team: u32 = 1;

struct Team {
  index: u32,  // of this invocation's team
  lane: u32,   // within it
  size: u32,
  count: u32,  // teams of the workgroup
}

fn team_of(lane: u32) -> Team {
  let size = subgroups_per_team * subgroup_size_here();
  return Team(lane / size, lane % size, size, workgroup_size / size);
}

var<workgroup> team_partial: array<vec2f, workgroup_size / 4>;  // of each subgroup: none is smaller

// Every invocation of the workgroup calls it, in uniform control flow.
fn team_sum2(values: vec2f, lane: u32) -> vec2f {
  let sum = subgroupAdd(values);
  if (subgroups_per_team == 1) {
    return sum;
  }
  let subgroup = lane / subgroup_size_here();
  team_partial[subgroup] = sum;
  workgroupBarrier();
  let first = subgroup - subgroup % subgroups_per_team;
  var total = vec2f();
  for (var i = 0u; i < subgroups_per_team; i++) {
    total += team_partial[first + i];
  }
  workgroupBarrier();  // the next call writes where slow invocations still read
  return total;
}

fn team_sum(value: f32, lane: u32) -> f32 {
  if (subgroups_per_team == 1) {
    return subgroupAdd(value);
  }
  return team_sum2(vec2f(value, 0), lane).x;
}

// Of one subgroup alone, like team_max.
fn team_sum4(values: vec4f, lane: u32) -> vec4f {
  return subgroupAdd(values);
}

fn team_max(value: f32, lane: u32) -> f32 {
  return subgroupMax(value);
}
