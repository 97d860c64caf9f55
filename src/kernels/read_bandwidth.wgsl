// read_bandwidth: folded[g] = xor of the words that workgroup g reads; for measuring, not for models
//
//   binding  name    type   shape          access
//   0        data    vec4u  [n]            read
//   1        folded  u32    [workgroups]   write
//   2        params  Params                uniform
//
//   dispatch   (workgroups, 1, 1): the workgroups share the buffer, neighbouring lanes read
//              neighbouring vec4s
//   requires   nothing
//   numerics   exact
//   cost       reads 16 * n bytes

struct Params {
  n: u32,            // vec4s in data
  n_workgroups: u32,
}

@group(0) @binding(0) var<storage, read> data: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> folded: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

override workgroup_size: u32 = 256;

@compute @workgroup_size(workgroup_size)
fn read_bandwidth(@builtin(workgroup_id) group: vec3u,
                  @builtin(local_invocation_index) lane: u32) {
  var fold = vec4u();
  for (var i = group.x * workgroup_size + lane; i < params.n;
       i += params.n_workgroups * workgroup_size) {
    fold ^= data[i];
  }
  // Any lane may win: the value only keeps the reads alive.
  folded[group.x] = fold.x ^ fold.y ^ fold.z ^ fold.w;
}
