// softcap: y[i] = cap * tanh(y[i] / cap)
//
//   binding  name    type  shape  access
//   0        y       f32   [n]    read_write
//   1        params  Params       uniform
//
//   dispatch   (any number of workgroups, 1, 1): one lane bends every stride-th value
//   requires   cap > 0
//   numerics   f32; checked against reference/softcap.cpp
//   cost       reads and writes n floats
//
// uses: lib/tanh.wgsl

struct Params {
  n: u32,
  stride: u32,  // lanes of the whole grid
  cap: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn softcap(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < params.n; i += params.stride) {
    y[i] = soft_capped(y[i], params.cap);
  }
}
