// route_experts: the n_used experts of each row with the largest router logits, and their shares
//
//   binding  name           type  shape              access
//   0        router_logits  f32   [rows, n_experts]  read
//   1        expert_ids     u32   [rows, n_used]     write
//   2        shares         f32   [rows, n_used]     write
//   3        params         Params                   uniform
//
//   dispatch   (rows, 1, 1): one workgroup routes one row
//   requires   n_used <= n_experts <= 512
//   numerics   f32 softmax over all experts; the lowest id wins a tie; checked against
//              reference/experts.cpp
//   cost       reads rows * n_experts floats
//
// With normalise, the shares of the chosen add up to 1; else they are what softmax gave them.
// Source: Shazeer et al., "Outrageously Large Neural Networks" (2017), as in Qwen3-MoE.

struct Params {
  n_experts: u32,
  n_used: u32,
  normalise: u32,  // 1 or 0
}

@group(0) @binding(0) var<storage, read> router_logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> expert_ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> shares: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const workgroup_size = 64u;
const nobody = 0xffffffffu;

var<workgroup> score: array<f32, 512>;
var<workgroup> best_id: array<u32, workgroup_size>;

// Whether expert a goes before expert b.
fn is_before(a: u32, b: u32) -> bool {
  if (a == nobody || b == nobody) {
    return b == nobody && a != nobody;
  }
  return score[a] > score[b] || (score[a] == score[b] && a < b);
}

@compute @workgroup_size(workgroup_size)
fn route_experts(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  for (var i = lane; i < params.n_experts; i += workgroup_size) {
    score[i] = router_logits[row * params.n_experts + i];
  }
  workgroupBarrier();

  var largest = 0.0;
  var chosen_total = 0.0;
  for (var used = 0u; used < params.n_used; used++) {
    // The chosen ones are marked by a score below every other.
    var id = nobody;
    for (var i = lane; i < params.n_experts; i += workgroup_size) {
      if (score[i] > -3.0e38 && is_before(i, id)) {
        id = i;
      }
    }
    best_id[lane] = id;
    workgroupBarrier();
    for (var stride = workgroup_size / 2; stride > 0; stride /= 2) {
      if (lane < stride && is_before(best_id[lane + stride], best_id[lane])) {
        best_id[lane] = best_id[lane + stride];
      }
      workgroupBarrier();
    }
    if (lane == 0) {
      // All scores may be NaN: then the experts are taken in order, and the NaN shows downstream.
      let best = select(best_id[0], used, best_id[0] == nobody);
      if (used == 0) {
        largest = score[best];
      }
      let share = exp(score[best] - largest);
      chosen_total += share;
      expert_ids[row * params.n_used + used] = best;
      shares[row * params.n_used + used] = share;
      score[best] = -3.4e38;
    }
    workgroupBarrier();
  }

  if (lane == 0) {
    var total = chosen_total;
    if (params.normalise == 0) {
      for (var i = 0u; i < params.n_experts; i++) {
        if (score[i] > -3.0e38) {
          total += exp(score[i] - largest);
        }
      }
    }
    for (var used = 0u; used < params.n_used; used++) {
      shares[row * params.n_used + used] /= total;
    }
  }
}
