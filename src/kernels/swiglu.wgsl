// swiglu: y[r,i] = silu(gate_up[r,i]) * gate_up[r, dim + i], with silu(v) = v / (1 + exp(-v))
//
//   binding  name     type   shape            access
//   0        gate_up  vec4f  [rows, 2 * dim]  read
//   1        y        vec4f  [rows, dim]      write
//   2        params   Params                  uniform
//
//   dispatch   (ceil(dim/4 / workgroup_size), rows, 1): one lane computes one vec4
//   requires   dim % 4 == 0
//   numerics   f32; checked against reference/swiglu.cpp
//   cost       reads 2 * rows * dim, writes rows * dim floats

struct Params {
  dim4: u32,  // dim / 4
}

@group(0) @binding(0) var<storage, read> gate_up: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn swiglu(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  let row = id.y;
  if (i >= params.dim4) {
    return;
  }
  let gate = gate_up[row * 2 * params.dim4 + i];
  let up = gate_up[row * 2 * params.dim4 + params.dim4 + i];
  y[row * params.dim4 + i] = gate / (1.0 + exp(-gate)) * up;
}
