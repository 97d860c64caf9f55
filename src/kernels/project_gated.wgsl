// project_gated: next[n] = act(scale * input . weight[n,:]) * (scale * input . weight[dim + n,:])
//
//   binding  name    type         shape                access
//   0        input   vec4u        [in_dim]             read     as lib/store_input.wgsl leaves it
//   1        weight  weight_word  [2 * dim, in_dim]    read     gate, then up
//   2        next    u32          [dim]                write    as lib/store_input.wgsl leaves it
//   3        params  Params                            uniform
//
//   dispatch   (ceil(dim / outputs_per_workgroup), 1, 1): each team computes rows_at_once / 2 outputs,
//              then the next; a team is a subgroup, or the workgroup without subgroups
//   requires   in_dim % 8 == 0 (act int8: % 32 == 0), dim and outputs_per_workgroup multiples of 8,
//              workgroup_size a power of two, at least outputs_per_workgroup / 8
//   numerics   f32 sums; act int8: whole numbers within eight values; act f16: f16 sums of eight;
//              checked against reference/matmul.cpp, reference/swiglu.cpp, reference/geglu.cpp and
//              reference/input.cpp
//   cost       reads every weight once: bandwidth-bound
//
// act is silu, v / (1 + exp(-v)), or gelu in its tanh form (geglu.wgsl); scale is that of the input's
// RMSNorm, 1 without one (lib/input_scale_tree.wgsl).
//
// variants: act = f32 | f16 | int8
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// only: act = int8: weight = q4_0 | q8_0 | q4_k | q6_k | mlc_q4
// only: act = f16: weight = f16 | q4_0 | mlc_q4
// uses: lib/input_{act}.wgsl
// uses: lib/input_scale_{reduce}.wgsl
// uses: lib/store_input.wgsl
// uses: lib/gelu.wgsl
// uses: lib/row_sums.wgsl

struct Params {
  next_dim: u32,     // dim
  in_dim4: u32,      // in_dim / 4
  n_sums: u32,       // sums of squares behind the input; 0: no norm
  eps: f32,
  scales_at: u32,    // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,       // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> input: array<vec4u>;
@group(0) @binding(1) var<storage, read> weight: array<weight_word>;
@group(0) @binding(2) var<storage, read_write> next: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override outputs_per_workgroup: u32 = 16;
override rows_at_once: u32 = 2;  // of a team, half of them gates: 2 or 4
override is_gelu: bool = false;

override rows_per_workgroup: u32 = 2 * outputs_per_workgroup;  // gate, up, gate, up ...

fn rows_from(group: u32, i: u32) -> vec4u {
  let output = group * outputs_per_workgroup + i / 2;
  let rows = vec2u(output, params.next_dim + output);
  return vec4u(rows, rows + 1);
}

// Four products, from number i of the workgroup on.
fn products(i: u32, scale: f32) -> vec4f {
  let gate = scale * vec4f(row_sum(2 * i), row_sum(2 * i + 2), row_sum(2 * i + 4), row_sum(2 * i + 6));
  let up = scale * vec4f(row_sum(2 * i + 1), row_sum(2 * i + 3), row_sum(2 * i + 5), row_sum(2 * i + 7));
  if (is_gelu) {
    return gelu4(gate) * up;
  }
  return gate / (1.0 + exp(-gate)) * up;
}

@compute @workgroup_size(workgroup_size)
fn project_gated(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n_outputs = min(outputs_per_workgroup, params.next_dim - group.x * outputs_per_workgroup);
  let squares = squares_here(lane, outputs_per_workgroup / 8);
  sum_rows(group.x, 2 * n_outputs, lane);
  let scale = input_scale(squares, lane);
  workgroupBarrier();

  let i = 8 * lane;
  if (i < n_outputs) {
    store8(group.x * outputs_per_workgroup / 8 + lane, products(i, scale), products(i + 4, scale));
  }
}
