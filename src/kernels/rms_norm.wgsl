// rms_norm: y[r,:] = x[r,:] * inverseSqrt(mean(x[r,:]^2) + eps) * weight
//
//   binding  name    type     shape        access
//   0        x       vec4f    [rows, dim]  read
//   1        weight  packed4  [dim]        read
//   2        y       vec4f    [rows, dim]  write   must not share a buffer with x or weight
//   3        params  Params                uniform
//
//   dispatch   (rows, 1, 1): one workgroup normalises one row
//   requires   dim % 4 == 0, rows <= 65535, workgroup_size a power of two
//   numerics   f32 sum; checked against reference/rms_norm.cpp
//   cost       reads 2 * rows * dim, writes rows * dim floats; bandwidth-bound
//
// variants: norm = f32 | f16 | bf16
// variants: reduce = tree | subgroup
// uses: lib/packed4_{norm}.wgsl
// uses: lib/reduce_{reduce}.wgsl

struct Params {
  dim4: u32,  // dim / 4
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<packed4>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn rms_norm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x * params.dim4;

  // Strided so that neighbouring lanes read neighbouring vec4s.
  var sum = 0.0;
  for (var i = lane; i < params.dim4; i += workgroup_size) {
    sum += dot(x[row + i], x[row + i]);
  }
  let total = workgroup_sum(sum, lane);

  let scale = inverseSqrt(total / f32(4 * params.dim4) + params.eps);
  for (var i = lane; i < params.dim4; i += workgroup_size) {
    y[row + i] = x[row + i] * scale * unpack4(weight[i]);
  }
}
