// adjust_logits: logits[i] = (logits[i] + bias[i]) penalised by how often token i was seen
//
//   binding  name         type      shape         access
//   0        logits       f32       [vocab_size]  read_write
//   1        adjustments  vec2u     [vocab_size]  read_write   (bias as f32 bits, count)
//   2        token_ids    u32       [rows]        read
//   3        sampling     Sampling  [1]           read
//   4        params       Params                  uniform
//
//   dispatch   (ceil(vocab_size / 2048), 1, 1)
//   numerics   f32; a driver may fuse the frequency penalty's multiply and subtract
//   cost       reads 3 and writes 1 or 2 words a token
//
// A count's highest bit says that the prompt has the token; the others count how often it was
// generated. With counts_input the token that this step evaluates, the last one chosen, is counted
// first.
//
// uses: lib/sampling.wgsl
// uses: lib/token_range.wgsl

struct Params {
  vocab_size: u32,
  counts_input: u32,  // 1 or 0
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> adjustments: array<vec2u>;
@group(0) @binding(2) var<storage, read> token_ids: array<u32>;
@group(0) @binding(3) var<storage, read> sampling: Sampling;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(workgroup_size)
fn adjust_logits(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var n = 0u; n < tokens_per_lane; n++) {
    let i = token_at(group.x, n, lane);
    if (i >= params.vocab_size) {
      return;
    }
    let adjustment = adjustments[i];
    var count = adjustment.y;
    if (params.counts_input == 1u && i == token_ids[0]) {
      count += 1u;
      adjustments[i].y = count;
    }
    var logit = logits[i] + bitcast<f32>(adjustment.x);
    if (count > 0u) {
      let factor =
          select(sampling.repeat_penalty, sampling.inverse_repeat_penalty, logit > 0.0);
      logit *= factor;
    }
    let n_generated = count & 0x7fffffffu;
    if (n_generated > 0u) {
      logit -= f32(n_generated) * sampling.frequency_penalty;
      logit -= sampling.presence_penalty;
    }
    logits[i] = logit;
  }
}
