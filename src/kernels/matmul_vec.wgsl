// matmul_vec: y[r,n] = sum over k of x[r,k] * weight[n,k], for a few rows r
//
//   binding  name    type     shape              access
//   0        x       vec4f    [rows, in_dim]     read
//   1        weight  packed4  [out_dim, in_dim]  read
//   2        y       f32      [rows, out_dim]    write
//   3        params  Params                      uniform
//
//   dispatch   (ceil(out_dim / outputs_per_workgroup), rows, 1): each team of a workgroup computes
//              one output after the other; a team is a subgroup, or the workgroup without subgroups
//   requires   in_dim % 4 == 0, workgroup_size a power of two
//   numerics   f32 products and sums for every weight type; checked against reference/matmul.cpp
//   cost       reads every weight once per row: one row is bandwidth-bound, many want matmul_tile
//
// variants: weight = f32 | f16 | bf16
// variants: reduce = tree | subgroup
// uses: lib/packed4_{weight}.wgsl
// uses: lib/team_{reduce}.wgsl

struct Params {
  out_dim: u32,
  in_dim4: u32,  // in_dim / 4
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<packed4>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override outputs_per_workgroup: u32 = 16;

@compute @workgroup_size(workgroup_size)
fn matmul_vec(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let first_output = group.x * outputs_per_workgroup;
  let n_teams = team_count();
  let stride = team_size();

  // Every team runs the same number of rounds, so that a team may hold a barrier.
  for (var round = 0u; round < outputs_per_workgroup; round += n_teams) {
    let output = first_output + round + team_index(lane);
    var sum = 0.0;
    if (output < params.out_dim) {
      // Neighbouring lanes read neighbouring vec4s of the weight row.
      for (var k = team_lane(lane); k < params.in_dim4; k += stride) {
        sum += dot(x[row * params.in_dim4 + k], unpack4(weight[output * params.in_dim4 + k]));
      }
    }
    let total = team_sum(sum, lane);
    if (team_lane(lane) == 0 && output < params.out_dim) {
      y[row * params.out_dim + output] = total;
    }
  }
}
