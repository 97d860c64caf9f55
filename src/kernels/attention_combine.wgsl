// attention_combine: next[h,:] = sum over spans of exp(max_s - max) values_s[h,:] / the sum of all weights
//
//   binding  name       type    shape                             access
//   0        positions  u32     [1]                               read
//   1        spans      vec4f   [n_spans, n_heads, 4 + head_dim]  read   as attention_split.wgsl leaves them
//   2        next       u32     [n_heads * head_dim]              write  as lib/store_input.wgsl leaves it
//   3        params     Params                                    uniform
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
  window: u32,      // keys a row sees, its own included; 0: all
  next_dim: u32,    // n_heads * head_dim
}

@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> spans: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> next: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

override workgroup_size: u32 = 256;
override n_heads: u32 = 8;
override head_dim4: u32 = 32;  // head_dim / 4

const span_size = 64u;
const least = -3.0e38;

var<workgroup> weights: array<f32, workgroup_size>;  // of some spans
var<workgroup> partial: array<vec4f, workgroup_size>;

// Where a span of this head begins: max and sum, then its values.
fn span_at(s: u32, head: u32) -> u32 {
  return (s * n_heads + head) * (1 + head_dim4);
}

@compute @workgroup_size(workgroup_size)
fn attention_combine(@builtin(workgroup_id) group: vec3u,
                     @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let n_keys = positions[0] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  let first_span = first_seen / span_size;
  let end_span = (n_keys - 1 + span_size - 1) / span_size + 1;  // the last is the row's own key

  var largest_here = least;
  for (var s = first_span + lane; s < end_span; s += workgroup_size) {
    largest_here = max(largest_here, spans[span_at(s, head)].x);
  }
  let largest = workgroup_max(largest_here, lane);

  // A lane owns one vec4 of the head and every n_parts-th span.
  let n_parts = workgroup_size / head_dim4;
  let part = lane / head_dim4;
  let dim = lane % head_dim4;
  var sum = vec4f();
  var total_here = 0.0;
  for (var first = first_span; first < end_span; first += workgroup_size) {
    let n_here = min(workgroup_size, end_span - first);
    if (lane < n_here) {
      let found = spans[span_at(first + lane, head)];
      weights[lane] = exp(found.x - largest);
      total_here += weights[lane] * found.y;
    }
    workgroupBarrier();
    if (part < n_parts) {
      for (var start = part; start < n_here; start += 4 * n_parts) {
        for (var j = 0u; j < 4u; j++) {  // a constant count, so that four loads are under way at once
          let s = start + j * n_parts;
          if (s < n_here) {
            sum += weights[s] * spans[span_at(first + s, head) + 1 + dim];
          }
        }
      }
    }
    workgroupBarrier();
  }
  let total = workgroup_sum(total_here, lane);
  partial[lane] = sum;
  workgroupBarrier();

  if (2 * lane < head_dim4) {
    var a = vec4f();
    var b = vec4f();
    for (var p = 0u; p < n_parts; p++) {
      a += partial[p * head_dim4 + 2 * lane];
      b += partial[p * head_dim4 + 2 * lane + 1];
    }
    store8(head * head_dim4 / 2 + lane, a / total, b / total);
  }
}
