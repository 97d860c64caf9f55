// attention_combine: next[h,:] = sum over spans of exp(max_s - max) values_s[h,:] / the sum of all weights
//
//   binding  name       type    shape                         access
//   0        positions  u32     [1]                           read
//   1        softmax    vec2f   [n_spans, n_heads]            read   max and sum of a span
//   2        values     vec4f   [n_spans, n_heads, head_dim]  read
//   3        next       u32     [n_heads * head_dim]          write  as lib/store_input.wgsl leaves it
//   4        params     Params                                uniform
//
//   dispatch   (n_heads, 1, 1): one workgroup puts a head together
//   requires   head_dim % 8 == 0, head_dim <= 256; next in 8 bits: n_heads * head_dim % 32 == 0
//   numerics   f32; with attention_split.wgsl checked against reference/attention.cpp
//   cost       reads what attention_split.wgsl left of the spans that the row sees
//
// variants: reduce = tree | subgroup
// uses: lib/store_input.wgsl
// uses: lib/reduce_{reduce}.wgsl

struct Params {
  n_heads: u32,
  head_dim4: u32,   // head_dim / 4
  window: u32,      // keys a row sees, its own included; 0: all
  next_dim: u32,    // n_heads * head_dim
}

@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> softmax: array<vec2f>;
@group(0) @binding(2) var<storage, read> values: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> next: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

override workgroup_size: u32 = 256;

const span_size = 64u;
const least = -3.0e38;

var<workgroup> weights: array<f32, workgroup_size>;  // of some spans
var<workgroup> partial: array<vec4f, workgroup_size>;

@compute @workgroup_size(workgroup_size)
fn attention_combine(@builtin(workgroup_id) group: vec3u,
                     @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let n_keys = positions[0] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  let first_span = first_seen / span_size;
  let end_span = (n_keys + span_size - 1) / span_size;

  var largest_here = least;
  for (var s = first_span + lane; s < end_span; s += workgroup_size) {
    largest_here = max(largest_here, softmax[s * params.n_heads + head].x);
  }
  let largest = workgroup_max(largest_here, lane);

  // A lane owns one vec4 of the head and every n_parts-th span.
  let n_parts = workgroup_size / params.head_dim4;
  let part = lane / params.head_dim4;
  let dim = lane % params.head_dim4;
  var sum = vec4f();
  var total_here = 0.0;
  for (var first = first_span; first < end_span; first += workgroup_size) {
    let n_here = min(workgroup_size, end_span - first);
    if (lane < n_here) {
      let found = softmax[(first + lane) * params.n_heads + head];
      weights[lane] = exp(found.x - largest);
      total_here += weights[lane] * found.y;
    }
    workgroupBarrier();
    if (part < n_parts) {
      for (var start = part; start < n_here; start += 4 * n_parts) {
        for (var j = 0u; j < 4u; j++) {  // a constant count, so that four loads are under way at once
          let s = start + j * n_parts;
          if (s < n_here) {
            sum += weights[s] * values[((first + s) * params.n_heads + head) * params.head_dim4 + dim];
          }
        }
      }
    }
    workgroupBarrier();
  }
  let total = workgroup_sum(total_here, lane);
  partial[lane] = sum;
  workgroupBarrier();

  if (2 * lane < params.head_dim4) {
    var a = vec4f();
    var b = vec4f();
    for (var p = 0u; p < n_parts; p++) {
      a += partial[p * params.head_dim4 + 2 * lane];
      b += partial[p * params.head_dim4 + 2 * lane + 1];
    }
    store8(head * params.head_dim4 / 2 + lane, a / total, b / total);
  }
}
