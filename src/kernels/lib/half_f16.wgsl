enable f16;
// f16 weights (lib/weight_f16.wgsl) times an input in 16 bits, eight values a turn.

fn n_turns() -> u32 {
  return params.in_dim4 / 2;
}

fn turn_dot(row: u32, block: u32) -> f32 {
  let w = weight[row * (in_dim4() / 2) + block];
  let x = halves_at(block);
  var sum = bitcast<vec2h>(w.x) * bitcast<vec2h>(x.x);
  sum = fma(bitcast<vec2h>(w.y), bitcast<vec2h>(x.y), sum);
  sum = fma(bitcast<vec2h>(w.z), bitcast<vec2h>(x.z), sum);
  sum = fma(bitcast<vec2h>(w.w), bitcast<vec2h>(x.w), sum);
  return block_scale(block) * (f32(sum.x) + f32(sum.y));
}
