// Which tokens of the vocabulary a workgroup looks at: 2048 in a row, neighbours by neighbours.

override workgroup_size: u32 = 256;
override tokens_per_lane: u32 = 2048 / workgroup_size;

// The n-th token of a lane, perhaps beyond the vocabulary's end.
fn token_at(group: u32, n: u32, lane: u32) -> u32 {
  return (group * tokens_per_lane + n) * workgroup_size + lane;
}
