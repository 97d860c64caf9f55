// matmul_experts: y[s,n] = sum over k of x[s or s/n_used, k] * weight[expert_ids[s], n, k]
//
//   binding  name        type         shape                         access
//   0        x           vec4f        [rows or slots, in_dim]       read
//   1        expert_ids  u32          [rows, n_used]                read   a slot s is row * n_used + place
//   2        weight      weight_word  [n_experts, out_dim, in_dim]  read   experts first_expert..
//   3        y           f32          [slots, out_dim]              write  of the slots that use these
//   4        params      Params                                     uniform
//
//   dispatch   (ceil(out_dim / outputs_per_workgroup), slots, 1): teams as in matmul_vec
//   requires   in_dim % 4 == 0, workgroup_size a power of two, a weight in parts takes a dispatch for each
//   numerics   f32 products and sums of the dequantised weights; checked against reference/experts.cpp
//   cost       reads the matrices of the chosen experts alone, once per slot
//
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// uses: lib/weight_{weight}.wgsl
// uses: lib/row_dot.wgsl
// uses: lib/team_{reduce}.wgsl

struct Params {
  out_dim: u32,
  in_dim4: u32,          // in_dim / 4
  slots_per_x_row: u32,  // n_used where the slots of a row share its x, else 1
  first_expert: u32,     // the first of this part's experts
  n_experts: u32,
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> expert_ids: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<weight_word>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override outputs_per_workgroup: u32 = 16;
override rounds: u32 = 1;  // that the teams take for the outputs of a workgroup

@compute @workgroup_size(workgroup_size)
fn matmul_experts(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slot = group.y;
  let x_row = slot / params.slots_per_x_row;
  let first_output = group.x * outputs_per_workgroup;
  let expert = expert_ids[slot] - params.first_expert;  // an earlier part's wraps around
  let team = team_of(lane);

  // Every team runs the same number of rounds, so that a team may hold a barrier.
  for (var round = 0u; round < rounds; round++) {
    let mine = round * team.count + team.index;
    let output = first_output + mine;
    var sum = 0.0;
    let is_mine =
        mine < outputs_per_workgroup && output < params.out_dim && expert < params.n_experts;
    if (is_mine) {
      sum = row_dot(x_row, expert * params.out_dim + output, team.lane, team.size);
    }
    let total = part_sum(sum, lane);
    if (team.lane == 0 && is_mine) {
      y[slot * params.out_dim + output] = total;
    }
  }
}
