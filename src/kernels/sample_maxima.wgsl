// sample_maxima: maxima[g] = the largest of the logits that workgroup g looks at, as an order key
//
//   binding  name        type  shape           access
//   0        logits      f32   [vocab_size]    read
//   1        maxima      u32   [n_workgroups]  write
//   2        histograms  u32   [8, 256, 2]     write   all 0, for sample_cut to count in
//   3        params      Params                uniform
//
//   dispatch   (ceil(vocab_size / 2048), 1, 1)
//   numerics   exact; NaN and -infinity count as nothing: key 0
//   cost       reads vocab_size floats
//
// uses: lib/order_key.wgsl
// uses: lib/reduce_best.wgsl
// uses: lib/token_range.wgsl

struct Params {
  vocab_size: u32,
  n_workgroups: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> maxima: array<u32>;
@group(0) @binding(2) var<storage, read_write> histograms: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

const n_counts = 8u * 256u * 2u;

@compute @workgroup_size(workgroup_size)
fn sample_maxima(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var largest = 0u;
  for (var n = 0u; n < tokens_per_lane; n++) {
    let i = token_at(group.x, n, lane);
    if (i < params.vocab_size) {
      largest = max(largest, order_key(logits[i]));
    }
  }
  let best = workgroup_best(vec2u(largest, 0u), lane);
  if (lane == 0u) {
    maxima[group.x] = best.x;
  }
  let stride = params.n_workgroups * workgroup_size;
  for (var i = group.x * workgroup_size + lane; i < n_counts; i += stride) {
    histograms[i] = 0u;
  }
}
