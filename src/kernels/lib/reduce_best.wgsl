// The best of a workgroup's candidates: the largest key, the lowest id on a tie. Every invocation
// calls it, in uniform control flow, and gets the result. workgroup_size is a power of two.

const nobody = 0xffffffffu;

const best_half = workgroup_size / 2u;
var<workgroup> best_key: array<u32, best_half>;
var<workgroup> best_id: array<u32, best_half>;

fn keep_best(candidate: vec2u, lane: u32) {
  best_key[lane % best_half] = candidate.x;
  best_id[lane % best_half] = candidate.y;
}

fn kept_best(lane: u32) -> vec2u {
  return vec2u(best_key[lane % best_half], best_id[lane % best_half]);
}

// A candidate is vec2u(key, id); one of key 0 is nobody.
fn workgroup_best(candidate: vec2u, lane: u32) -> vec2u {
  var best = candidate;
  for (var stride = best_half; stride > 0u; stride /= 2u) {
    // The upper half of those left hands over to the lower. Where a lane writes, nobody but itself
    // has read since the last barrier.
    if (lane >= stride && lane < 2u * stride) {
      keep_best(best, lane);
    }
    workgroupBarrier();
    if (lane < stride) {
      let other = kept_best(lane + stride);
      if (other.x > best.x || (other.x == best.x && other.y < best.y)) {
        best = other;
      }
    }
  }
  if (lane == 0u) {
    keep_best(best, lane);
  }
  workgroupBarrier();
  best = kept_best(0u);
  workgroupBarrier();  // the next call writes where slow invocations still read
  return best;
}
