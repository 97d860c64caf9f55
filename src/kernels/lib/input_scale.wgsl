// What the norm multiplies its input by: 1 / sqrt(mean of squares + eps), from the sums of squares that
// lie behind the input; 1 where there are none. Every invocation calls it, in uniform control flow. The
// kernel declares params.n_sums and params.eps; a team comes with it.

fn input_scale(lane: u32) -> f32 {
  if (params.n_sums == 0) {
    return 1.0;
  }
  var sum = 0.0;
  for (var i = team_lane(lane); i < params.n_sums; i += team_size()) {
    let at = input_words() + i;
    sum += bitcast<f32>(input[at / 4][at % 4]);
  }
  return inverseSqrt(team_sum(sum, lane) / f32(4 * params.in_dim4) + params.eps);
}
