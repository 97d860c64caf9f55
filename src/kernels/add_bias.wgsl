// add_bias: y[r,:] += bias
//
//   binding  name    type   shape        access
//   0        bias    vec4f  [dim]        read
//   1        y       vec4f  [rows, dim]  read_write
//   2        params  Params              uniform
//
//   dispatch   (ceil(dim/4 / workgroup_size), rows, 1): one lane adds one vec4
//   requires   dim % 4 == 0
//   numerics   f32, one rounding
//   cost       reads and writes rows * dim floats

struct Params {
  dim4: u32,  // dim / 4
}

@group(0) @binding(0) var<storage, read> bias: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn add_bias(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.dim4) {
    y[id.y * params.dim4 + id.x] += bias[id.x];
  }
}
