// sample_token: the best of sample_draw's candidates becomes the next step's input
//
//   binding  name       type   shape           access
//   0        best       vec2u  [n_workgroups]  read   (score as an order key, id)
//   1        token_ids  u32    [rows]          write
//   2        positions  u32    [rows]          read_write
//   3        history    u32    [context + 1]   write
//   4        params     Params                 uniform
//
//   dispatch   (1, 1, 1)
//   numerics   exact; the lowest id on a tie
//   cost       reads 2 * n_workgroups words
//
// The host is not needed for the next step: its token id and its position are left where that step
// reads them, in row 0, and history keeps every id by position for a late readback. If no token can
// be chosen, history gets 0xffffffff and the next step harmlessly evaluates token 0.
//
// uses: lib/reduce_best.wgsl

struct Params {
  n_best: u32,
  row: u32,  // the row of positions that the token follows
}

@group(0) @binding(0) var<storage, read> best: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> token_ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> positions: array<u32>;
@group(0) @binding(3) var<storage, read_write> history: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

override workgroup_size: u32 = 256;

@compute @workgroup_size(workgroup_size)
fn sample_token(@builtin(local_invocation_index) lane: u32) {
  var candidate = vec2u(0u, nobody);
  for (var i = lane; i < params.n_best; i += workgroup_size) {
    if (best[i].x > candidate.x) {
      candidate = best[i];
    }
  }
  let id = workgroup_best(candidate, lane).y;
  if (lane == 0u) {
    let position = positions[params.row] + 1u;
    history[position] = id;
    token_ids[0] = select(id, 0u, id == nobody);
    positions[0] = position;
  }
}
