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
// uses: lib/store_input.wgsl

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

// A lane owns one vec4 of the head and every n_parts-th span.
override n_parts: u32 = workgroup_size / head_dim4;
override n_sums: u32 = min(n_parts, 4);  // that the parts become

const span_size = 64u;
const least = -3.0e38;

// Of each part of the spans: the largest score, and what is summed up by it.
var<workgroup> part_largest: array<f32, n_parts>;
var<workgroup> part_total: array<f32, n_parts>;
var<workgroup> part_values: array<vec4f, workgroup_size>;  // later of each sum, as sum_total
var<workgroup> sum_total: array<f32, n_sums>;

@compute @workgroup_size(workgroup_size)
fn attention_combine(@builtin(workgroup_id) group: vec3u,
                     @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let n_keys = positions[0] + 1;
  let first_seen = select(0, n_keys - params.window, params.window > 0 && n_keys > params.window);
  let first_span = first_seen / span_size;
  let end_span = (n_keys - 1 + span_size - 1) / span_size + 1;  // the last is the row's own key

  // What a lane found so far is scaled down where a span holds a larger score, which spares a second look
  // at all spans.
  let part = lane / head_dim4;
  let dim = lane % head_dim4;
  var largest = least;
  var total = 0.0;
  var values = vec4f();
  if (part < n_parts) {
    for (var start = first_span + part; start < end_span; start += 4 * n_parts) {
      for (var j = 0u; j < 4u; j++) {  // a constant count, so that the loads of four are under way at once
        let s = start + j * n_parts;
        if (s < end_span) {
          let at = (s * n_heads + head) * (1 + head_dim4);
          let found = spans[at];
          let larger = max(largest, found.x);
          let kept = exp(largest - larger);
          let share = exp(found.x - larger);
          total = kept * total + share * found.y;
          values = kept * values + share * spans[at + 1 + dim];
          largest = larger;
        }
      }
    }
  }
  part_values[lane] = values;
  if (dim == 0 && part < n_parts) {
    part_largest[part] = largest;
    part_total[part] = total;
  }
  workgroupBarrier();

  // All parts become a few, side by side, so that little is left to add up one after the other. A lane leaves
  // its sum where nobody else reads.
  if (part < n_sums) {
    for (var p = 0u; p < n_parts; p++) {
      largest = max(largest, part_largest[p]);
    }
    total = 0.0;
    values = vec4f();
    for (var p = part; p < n_parts; p += n_sums) {
      let share = exp(part_largest[p] - largest);
      total += share * part_total[p];
      values += share * part_values[p * head_dim4 + dim];
    }
    part_values[lane] = values;
    if (dim == 0) {
      sum_total[part] = total;
    }
  }
  workgroupBarrier();

  if (2 * lane < head_dim4) {
    total = 0.0;
    var a = vec4f();
    var b = vec4f();
    for (var i = 0u; i < n_sums; i++) {
      total += sum_total[i];
      a += part_values[i * head_dim4 + 2 * lane];
      b += part_values[i * head_dim4 + 2 * lane + 1];
    }
    store8(head * head_dim4 / 2 + lane, a / total, b / total);
  }
}
