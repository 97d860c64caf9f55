// sample_token: id = argmax over i of logits[i] / temperature + gumbel(seed, position, i)
//
//   binding  name       type  shape         access
//   0        logits     f32   [vocab_size]  read
//   1        sampling   u32   [4]           read   temperature as f32 bits, seed low, seed high, unused
//   2        token_ids  u32   [rows]        write
//   3        positions  u32   [rows]        read_write
//   4        history    u32   [context + 1] write
//   5        params     Params              uniform
//
//   dispatch   (1, 1, 1): one workgroup scans the vocabulary
//   requires   workgroup_size a power of two
//   numerics   temperature 0 takes the largest logit, the lowest id on a tie; else the Gumbel
//              maximum, a draw from softmax(logits / temperature); a NaN is never chosen
//   cost       reads vocab_size floats
//
// The host is not needed for the next step: its token id and its position are left where that step
// reads them, in row 0, and history keeps every id by position for a late readback. If all logits
// are NaN, history gets 0xffffffff and the next step harmlessly evaluates token 0.
//
// uses: lib/random.wgsl

struct Params {
  vocab_size: u32,
  row: u32,  // the row of positions whose logits these are
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> sampling: array<u32>;
@group(0) @binding(2) var<storage, read_write> token_ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> positions: array<u32>;
@group(0) @binding(4) var<storage, read_write> history: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

override workgroup_size: u32 = 256;

const nobody = 0xffffffffu;

var<workgroup> best_score: array<f32, workgroup_size>;
var<workgroup> best_id: array<u32, workgroup_size>;

@compute @workgroup_size(workgroup_size)
fn sample_token(@builtin(local_invocation_index) lane: u32) {
  let temperature = bitcast<f32>(sampling[0]);
  let position = positions[params.row] + 1;  // of the token to choose

  // A lane sees its ids in ascending order, so `>` keeps the lowest of equals.
  var score = 0.0;
  var id = nobody;
  for (var i = lane; i < params.vocab_size; i += workgroup_size) {
    var candidate = logits[i];
    if (temperature > 0.0) {
      let u = random_uniform(sampling[1], sampling[2], position, i);
      // -log(u) is at least 2^-24; a driver's logarithm may be off by more than that near 1.
      candidate = candidate / temperature - log(max(-log(u), 0x1p-24));
    }
    if (candidate > score || (id == nobody && candidate == candidate)) {
      score = candidate;
      id = i;
    }
  }
  best_score[lane] = score;
  best_id[lane] = id;
  workgroupBarrier();

  for (var stride = workgroup_size / 2; stride > 0; stride /= 2) {
    if (lane < stride) {
      let other = lane + stride;
      let is_better = best_score[other] > best_score[lane] ||
                      (best_score[other] == best_score[lane] && best_id[other] < best_id[lane]);
      if (best_id[other] != nobody && (best_id[lane] == nobody || is_better)) {
        best_score[lane] = best_score[other];
        best_id[lane] = best_id[other];
      }
    }
    workgroupBarrier();
  }

  if (lane == 0) {
    history[position] = best_id[0];
    token_ids[0] = select(best_id[0], 0, best_id[0] == nobody);
    positions[0] = position;
  }
}
