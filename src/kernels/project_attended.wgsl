// project_attended: x[n] += sum over k of attended[k] * weight[n,k]; next[n] = x[n] * gamma[n]
//                   or, where adds is false: x[n] = sum over k of attended[k] * weight[n,k]
//                   attended[h,:] = sum over spans of exp(max_s - max) values_s[h,:] / the sum of all weights
//
//   binding  name       type         shape                             access
//   0        positions  u32          [1]                               read
//   1        spans      vec4f        [n_spans, n_heads, 4 + head_dim]  read        as attention_split.wgsl leaves them
//   2        weight     weight_word  [out_dim, n_heads * head_dim]     read        rows first_output.. of the whole weight
//   3        gamma      vec4f        [next_dim]                        read        of the norm to come; any buffer where adds is false
//   4        x          vec4f        [next_dim]                        read_write
//   5        next       u32          [next_dim]                        write       as lib/store_input.wgsl leaves it
//   6        params     Params                                         uniform
//
//   dispatch   (ceil(out_dim / outputs_per_workgroup), 1, 1): every workgroup puts attention together for
//              itself, as attention_combine.wgsl does; then teams as in project_residual.wgsl
//   requires   head_dim % 8 == 0 (act int8: n_heads * head_dim % 32 == 0), else as
//              project_residual.wgsl
//   numerics   f32 sums; act int8: whole numbers within eight values; act f16: f16 sums of eight;
//              checked against reference/attention.cpp and reference/matmul.cpp
//   cost       each workgroup reads what attention_split.wgsl left: less than a dispatch while there are
//              few spans
//
// variants: act = f32 | f16 | int8
// variants: weight = f32 | f16 | bf16 | q4_0 | q4_1 | q5_0 | q5_1 | q8_0 | q2_k | q3_k | q4_k | q5_k | q6_k | iq4_nl | mxfp4 | mlc_q4 | mlc_q4f32 | mlc_q3 | int8_block
// variants: reduce = tree | subgroup
// only: act = int8: weight = q4_0 | q8_0 | q4_k | q6_k | mlc_q4
// only: act = f16: weight = f16 | q4_0 | mlc_q4
// uses: lib/attended_{act}.wgsl
// uses: lib/quantised8.wgsl
// uses: lib/add_to_x.wgsl

struct Params {
  out_dim: u32,       // rows of this part of the weight
  in_dim4: u32,       // n_heads * head_dim / 4
  first_output: u32,  // those of the parts before
  window: u32,        // keys a row sees, its own included; 0: all
  next_dim: u32,      // outputs of the whole weight
  scales_at: u32,     // where the planes of a quantised weight begin, in words
  supers_at: u32,
  high_at: u32,
  group4: u32,        // values that share a scale, / 4
}

@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> spans: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<weight_word>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> next: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

override workgroup_size: u32 = 64;
override outputs_per_workgroup: u32 = 16;
override rows_at_once: u32 = 1;  // of a team: 1 or 4
override n_heads: u32 = 8;
override head_dim8: u32 = 1;     // head_dim / 8
override input_blocks: u32 = 8;  // n_heads * head_dim / 8
override for_nibbles: bool = false;  // whether the input goes with 4-bit codes

const span_size = 64u;
const least = -3.0e38;

// Puts all heads together, eight values a lane: what was found so far is scaled down where a span holds
// a larger score, which spares a second look at all spans.
fn attend(lane: u32) {
  let n_keys = positions[0] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  let first_span = first_seen / span_size;
  let end_span = (n_keys - 1 + span_size - 1) / span_size + 1;  // the last is the row's own key
  for (var block = lane; block < input_blocks; block += workgroup_size) {
    let head = block / head_dim8;
    let values_at = 1 + 2 * (block % head_dim8);
    var largest = least;
    var total = 0.0;
    var a = vec4f();
    var b = vec4f();
    for (var start = first_span; start < end_span; start += 4) {
      for (var j = 0u; j < 4u; j++) {  // a constant count, so that the loads of four are under way at once
        let s = start + j;
        if (s < end_span) {
          let at = (s * n_heads + head) * (1 + 2 * head_dim8);
          let found = spans[at];
          let larger = max(largest, found.x);
          let kept = exp(largest - larger);
          let share = exp(found.x - larger);
          total = kept * total + share * found.y;
          a = kept * a + share * spans[at + values_at];
          b = kept * b + share * spans[at + values_at + 1];
          largest = larger;
        }
      }
    }
    put_input8(block, a / total, b / total);
  }
  workgroupBarrier();
}

@compute @workgroup_size(workgroup_size)
fn project_attended(@builtin(workgroup_id) group: vec3u,
                    @builtin(local_invocation_index) lane: u32) {
  let before = before_product(group.x, lane);
  attend(lane);
  sum_rows(group.x, rows_here(group.x), lane);
  workgroupBarrier();
  add_to_x(before, lane);
}
