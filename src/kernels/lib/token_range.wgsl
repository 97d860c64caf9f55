// Which tokens of the vocabulary a workgroup looks at: 2048 in a row, neighbours by neighbours.

const workgroup_size = 256u;
const tokens_per_lane = 8u;

// The n-th token of a lane, perhaps beyond the vocabulary's end.
fn token_at(group: u32, n: u32, lane: u32) -> u32 {
  return (group * tokens_per_lane + n) * workgroup_size + lane;
}
