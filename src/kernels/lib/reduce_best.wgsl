// The best of a workgroup's candidates: the largest key, the lowest id on a tie. Every invocation
// calls it, in uniform control flow, and gets the result.

const nobody = 0xffffffffu;

var<workgroup> best_key: atomic<u32>;
var<workgroup> best_id: atomic<u32>;

// A candidate is vec2u(key, id); one of key 0 is nobody.
fn workgroup_best(candidate: vec2u, lane: u32) -> vec2u {
  if (lane == 0u) {
    atomicStore(&best_key, 0u);
    atomicStore(&best_id, nobody);
  }
  workgroupBarrier();
  atomicMax(&best_key, candidate.x);
  workgroupBarrier();
  let key = atomicLoad(&best_key);
  if (candidate.x == key) {
    atomicMin(&best_id, candidate.y);
  }
  workgroupBarrier();
  let best = vec2u(key, atomicLoad(&best_id));
  workgroupBarrier();  // the next call writes where slow invocations still read
  return best;
}
