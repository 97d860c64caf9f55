// The best of a workgroup's candidates: the largest key, the lowest id on a tie. Every invocation
// calls it, in uniform control flow, and gets the result. workgroup_size is a power of two.

const nobody = 0xffffffffu;

var<workgroup> best_key: array<u32, workgroup_size>;
var<workgroup> best_id: array<u32, workgroup_size>;

// A candidate is vec2u(key, id); one of key 0 is nobody.
fn workgroup_best(candidate: vec2u, lane: u32) -> vec2u {
  best_key[lane] = candidate.x;
  best_id[lane] = candidate.y;
  workgroupBarrier();
  for (var stride = workgroup_size / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      let other = lane + stride;
      if (best_key[other] > best_key[lane] ||
          (best_key[other] == best_key[lane] && best_id[other] < best_id[lane])) {
        best_key[lane] = best_key[other];
        best_id[lane] = best_id[other];
      }
    }
    workgroupBarrier();
  }
  let best = vec2u(best_key[0], best_id[0]);
  workgroupBarrier();  // the next call writes where slow invocations still read
  return best;
}
