// Sum and maximum over a workgroup through workgroup memory. Every invocation calls them, in uniform
// control flow, and gets the result. workgroup_size is the kernel's override, a power of two.

var<workgroup> reduce_partial: array<f32, workgroup_size>;

fn workgroup_sum(value: f32, lane: u32) -> f32 {
  reduce_partial[lane] = value;
  workgroupBarrier();
  for (var stride = workgroup_size / 2; stride > 0; stride /= 2) {
    if (lane < stride) {
      reduce_partial[lane] += reduce_partial[lane + stride];
    }
    workgroupBarrier();
  }
  let total = reduce_partial[0];
  workgroupBarrier();  // the next call writes where slow invocations still read
  return total;
}

fn workgroup_max(value: f32, lane: u32) -> f32 {
  reduce_partial[lane] = value;
  workgroupBarrier();
  for (var stride = workgroup_size / 2; stride > 0; stride /= 2) {
    if (lane < stride) {
      reduce_partial[lane] = max(reduce_partial[lane], reduce_partial[lane + stride]);
    }
    workgroupBarrier();
  }
  let largest = reduce_partial[0];
  workgroupBarrier();
  return largest;
}

// The same for four values at once, which costs the barriers of one.
var<workgroup> reduce_partial4: array<vec4f, workgroup_size>;

fn workgroup_sum4(values: vec4f, lane: u32) -> vec4f {
  reduce_partial4[lane] = values;
  workgroupBarrier();
  for (var stride = workgroup_size / 2; stride > 0; stride /= 2) {
    if (lane < stride) {
      reduce_partial4[lane] += reduce_partial4[lane + stride];
    }
    workgroupBarrier();
  }
  let total = reduce_partial4[0];
  workgroupBarrier();
  return total;
}

fn workgroup_max4(values: vec4f, lane: u32) -> vec4f {
  reduce_partial4[lane] = values;
  workgroupBarrier();
  for (var stride = workgroup_size / 2; stride > 0; stride /= 2) {
    if (lane < stride) {
      reduce_partial4[lane] = max(reduce_partial4[lane], reduce_partial4[lane + stride]);
    }
    workgroupBarrier();
  }
  let largest = reduce_partial4[0];
  workgroupBarrier();
  return largest;
}
