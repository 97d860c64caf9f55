// sample_draw: best[g] = the token with the largest score among those that workgroup g looks at
//
//   score of i = logits[i] / temperature + gumbel(seed, position, i), or logits[i] if greedy
//
//   binding  name       type      shape           access
//   0        logits     f32       [vocab_size]    read
//   1        sampling   Sampling  [1]             read
//   2        positions  u32       [rows]          read
//   3        maxima     u32       [n_workgroups]  read
//   4        cuts       Cut       [8]             read
//   5        best       vec2u     [n_workgroups]  write   (score as an order key, id)
//   6        params     Params                    uniform
//
//   dispatch   (ceil(vocab_size / 2048), 1, 1)
//   numerics   greedy: exact, the lowest id on a tie; else a draw from softmax(logits / temperature)
//              by the Gumbel maximum, as exact as the logarithm; NaN and -infinity are never chosen
//   cost       reads vocab_size floats
//
// Tokens that sample_cut's search cuts off, or that min_p drops, take no part.
//
// uses: lib/largest_logit.wgsl
// uses: lib/random.wgsl
// uses: lib/cut_record.wgsl
// uses: lib/token_range.wgsl

struct Params {
  vocab_size: u32,
  row: u32,       // the row of positions whose logits these are
  cut: u32,       // the record of cuts that holds; 8: none
  n_maxima: u32,  // 0: no min_p
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> sampling: Sampling;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> maxima: array<u32>;
@group(0) @binding(4) var<storage, read> cuts: array<Cut>;
@group(0) @binding(5) var<storage, read_write> best: array<vec2u>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(workgroup_size)
fn sample_draw(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = positions[params.row] + 1u;  // of the token to choose
  var least_key = 1u;
  var last_id = nobody;
  if (params.cut < 8u) {
    least_key = cuts[params.cut].key;
    last_id = cuts[params.cut].last_id;
  }
  var largest = 0.0;
  if (params.n_maxima > 0u) {
    largest = largest_scaled_logit(params.n_maxima, lane);
  }

  var candidate = vec2u(0u, nobody);
  for (var n = 0u; n < tokens_per_lane; n++) {
    // A lane sees its ids in ascending order, so `>` keeps the lowest of equals.
    let i = token_at(group.x, n, lane);
    if (i < params.vocab_size) {
      let scaled = scaled_logit(logits[i]);
      var key = order_key(scaled);
      let is_kept = key > least_key || (key == least_key && i <= last_id);
      let is_likely = params.n_maxima == 0u || log_share(scaled, largest) >= sampling.log_min_p;
      if (is_kept && is_likely) {
        if (sampling.inverse_temperature > 0.0) {
          let noise = gumbel_noise(sampling.seed_low, sampling.seed_high, position, i);
          key = order_key(scaled + noise);
        }
        if (key > candidate.x) {
          candidate = vec2u(key, i);
        }
      }
    }
  }
  let winner = workgroup_best(candidate, lane);
  if (lane == 0u) {
    best[group.x] = winner;
  }
}
