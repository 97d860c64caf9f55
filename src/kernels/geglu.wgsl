// geglu: y[r,i] = gelu(gate_up[r,i]) * gate_up[r, dim + i], gelu in its tanh form
//
//   binding  name     type  shape            access
//   0        gate_up  f32   [rows, 2 * dim]  read
//   1        y        f32   [rows, dim]      write
//   2        params   Params                 uniform
//
//   dispatch   (ceil(dim / workgroup_size), rows, 1): one lane computes one value
//   requires   nothing
//   numerics   f32; checked against reference/geglu.cpp
//   cost       reads 2 * rows * dim, writes rows * dim floats
//
// uses: lib/gelu.wgsl

struct Params {
  dim: u32,
}

@group(0) @binding(0) var<storage, read> gate_up: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn geglu(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  let row = id.y;
  if (i >= params.dim) {
    return;
  }
  let gate = gate_up[row * 2 * params.dim + i];
  let up = gate_up[row * 2 * params.dim + params.dim + i];
  y[row * params.dim + i] = gelu(gate) * up;
}
