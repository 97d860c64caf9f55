// project: y[n] = scale * (sum over k of input[k] * weight[n,k]) + bias[n]
//
//   binding  name    type         shape              access
//   0        input   vec4u        [in_dim]           read   as lib/store_input.wgsl leaves it
//   1        weight  weight_word  [out_dim, in_dim]  read   rows first_output.. of the whole weight
//   2        bias    f32          [y_dim]            read   any buffer where has_bias is 0
//   3        y       f32          [y_dim]            write  columns first_output..
//   4        params  Params                          uniform
//
//   dispatch   (ceil(out_dim / outputs_per_workgroup), 1, 1): each team computes rows_at_once outputs,
//              then the next; a team is a subgroup, or the workgroup without subgroups
//   requires   in_dim % 8 == 0 (act int8: % 32 == 0), workgroup_size a power of two, out_dim and
//              outputs_per_workgroup multiples of rows_at_once
//   numerics   f32 sums; act int8: whole numbers within eight values; act f16: f16 sums of eight;
//              checked against reference/matmul.cpp and reference/input.cpp
//   cost       reads every weight once: bandwidth-bound
//
// scale is that of the input's RMSNorm, 1 without one (lib/input_scale_tree.wgsl).
//
// variants: act = f32 | f16 | int8
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// only: act = int8: weight = q4_0 | q8_0 | q4_k | q6_k | mlc_q4
// only: act = f16: weight = f16 | q4_0 | mlc_q4
// uses: lib/input_{act}.wgsl
// uses: lib/input_scale_{reduce}.wgsl
// uses: lib/rows_in_order.wgsl

struct Params {
  out_dim: u32,       // rows of this part of the weight
  in_dim4: u32,       // in_dim / 4
  first_output: u32,  // those of the parts before
  has_bias: u32,
  n_sums: u32,        // sums of squares behind the input; 0: no norm
  eps: f32,
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> input: array<vec4u>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override outputs_per_workgroup: u32 = 16;
override rows_at_once: u32 = 1;  // of a team: 1 or 4

@compute @workgroup_size(workgroup_size)
fn project(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let squares = squares_here(lane, outputs_per_workgroup);
  sum_rows(group.x, rows_here(group.x), lane);
  let scale = input_scale(squares, lane);
  workgroupBarrier();

  for (var i = lane; i < rows_here(group.x); i += workgroup_size) {
    let n = params.first_output + group.x * outputs_per_workgroup + i;
    let offset = select(0.0, bias[select(0, n, params.has_bias == 1)], params.has_bias == 1);
    y[n] = scale * row_sum(i) + offset;
  }
}
