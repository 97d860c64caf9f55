// matmul_vec: y[r,n] = sum over k of x[r,k] * weight[n,k], for a few rows r
//
//   binding  name    type         shape              access
//   0        x       vec4f        [rows, in_dim]     read
//   1        weight  weight_word  [out_dim, in_dim]  read   rows first_output.. of the whole weight
//   2        y       f32          [rows, y_dim]      write  columns first_output..
//   3        params  Params                          uniform
//
//   dispatch   (ceil(out_dim / outputs_per_workgroup), rows, 1): each team of a workgroup computes
//              one output after the other; a team is a subgroup, or the workgroup without subgroups
//   requires   in_dim % 4 == 0, workgroup_size a power of two
//   numerics   f32 products and sums of the dequantised weights; checked against reference/matmul.cpp
//   cost       reads every weight once per row: one row is bandwidth-bound, many want matmul_tile
//
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// uses: lib/weight_{weight}.wgsl
// uses: lib/row_dot.wgsl
// uses: lib/team_{reduce}.wgsl

struct Params {
  out_dim: u32,       // rows of this part of the weight
  in_dim4: u32,       // in_dim / 4
  y_dim: u32,         // outputs of the whole weight
  first_output: u32,  // those of the parts before
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override outputs_per_workgroup: u32 = 16;  // the op gives a GPU a team for each
override rounds: u32 = 1;  // that the teams take for the outputs of a workgroup

@compute @workgroup_size(workgroup_size)
fn matmul_vec(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let first_output = group.x * outputs_per_workgroup;
  let team = team_of(lane);

  // Every team runs the same number of rounds, so that a team may hold a barrier.
  for (var round = 0u; round < rounds; round++) {
    let mine = round * team.count + team.index;
    let output = first_output + mine;
    let is_there = mine < outputs_per_workgroup && output < params.out_dim;
    var sum = 0.0;
    if (is_there) {
      sum = row_dot(row, output, team.lane, team.size);
    }
    let total = part_sum(sum, lane);
    if (team.lane == 0 && is_there) {
      y[row * params.y_dim + params.first_output + output] = total;
    }
  }
}
