// combine_experts: y[r,:] = sum over u of shares[r,u] * x[r * n_used + u,:]
//
//   binding  name    type   shape           access
//   0        x       vec4f  [slots, dim]    read
//   1        shares  f32    [rows, n_used]  read
//   2        y       vec4f  [rows, dim]     write
//   3        params  Params                 uniform
//
//   dispatch   (ceil(dim/4 / workgroup_size), rows, 1): one lane computes one vec4
//   requires   dim % 4 == 0
//   numerics   f32, in the order of the slots; checked against reference/experts.cpp
//   cost       reads slots * dim, writes rows * dim floats

struct Params {
  dim4: u32,  // dim / 4
  n_used: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> shares: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn combine_experts(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  let row = id.y;
  if (i >= params.dim4) {
    return;
  }
  var sum = vec4f();
  for (var used = 0u; used < params.n_used; used++) {
    let slot = row * params.n_used + used;
    sum += shares[slot] * x[slot * params.dim4 + i];
  }
  y[row * params.dim4 + i] = sum;
}
