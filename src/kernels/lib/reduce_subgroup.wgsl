enable subgroups;
diagnostic(off, subgroup_uniformity);
// Sum and maximum over a workgroup: first within each subgroup without a barrier, then over the few
// subgroups through workgroup memory. Any subgroup size; every invocation calls them, in uniform
// control flow, and gets the result.
// uses: lib/subgroup_size.wgsl

var<workgroup> reduce_partial: array<f32, workgroup_size / 4>;  // of each subgroup: none is smaller

fn workgroup_sum(value: f32, lane: u32) -> f32 {
  let subgroup_lanes = subgroup_size_here();
  let sum = subgroupAdd(value);
  if (subgroupElect()) {
    reduce_partial[lane / subgroup_lanes] = sum;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < workgroup_size / subgroup_lanes; i++) {
    total += reduce_partial[i];
  }
  workgroupBarrier();  // the next call writes where slow invocations still read
  return total;
}

fn workgroup_max(value: f32, lane: u32) -> f32 {
  let subgroup_lanes = subgroup_size_here();
  let largest_here = subgroupMax(value);
  if (subgroupElect()) {
    reduce_partial[lane / subgroup_lanes] = largest_here;
  }
  workgroupBarrier();
  var largest = reduce_partial[0];
  for (var i = 1u; i < workgroup_size / subgroup_lanes; i++) {
    largest = max(largest, reduce_partial[i]);
  }
  workgroupBarrier();
  return largest;
}

// The same for four values at once, which costs the barriers of one.
var<workgroup> reduce_partial4: array<vec4f, workgroup_size / 4>;

fn workgroup_sum4(values: vec4f, lane: u32) -> vec4f {
  let subgroup_lanes = subgroup_size_here();
  let sum = subgroupAdd(values);
  if (subgroupElect()) {
    reduce_partial4[lane / subgroup_lanes] = sum;
  }
  workgroupBarrier();
  var total = vec4f();
  for (var i = 0u; i < workgroup_size / subgroup_lanes; i++) {
    total += reduce_partial4[i];
  }
  workgroupBarrier();
  return total;
}

fn workgroup_max4(values: vec4f, lane: u32) -> vec4f {
  let subgroup_lanes = subgroup_size_here();
  let largest_here = subgroupMax(values);
  if (subgroupElect()) {
    reduce_partial4[lane / subgroup_lanes] = largest_here;
  }
  workgroupBarrier();
  var largest = reduce_partial4[0];
  for (var i = 1u; i < workgroup_size / subgroup_lanes; i++) {
    largest = max(largest, reduce_partial4[i]);
  }
  workgroupBarrier();
  return largest;
}
