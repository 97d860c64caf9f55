// Where tokens in order, the larger scaled logit first and then the lower id, are cut off: at the
// first where the weights so far reach a target. A token weighs 1 (top_k) or its probability
// (top_p). The place is found digit by digit of the order keys, from histograms of weights.
//
// Weights are whole numbers, so that their sums depend on no order: probabilities relative to the
// largest one, in units of 2^-40. A vocabulary of 2^22 tokens stays below 2^63.
// A kernel that uses this has weight_of_bin(stage, bin) say what a stage's histogram holds.
//
// uses: lib/cut_record.wgsl
// uses: lib/largest_logit.wgsl
// uses: lib/u64.wgsl

const n_bins = 256u;
const n_groups = 16u;  // of bins, to sum them up by
const bins_per_group = n_bins / n_groups;

var<workgroup> weight_of_group: array<vec2u, n_groups>;
var<workgroup> found: Cut;

fn probability_weight(scaled: f32, largest: f32) -> vec2u {
  let share = exp(log_share(scaled, largest)) * 256.0;
  let high = floor(share);
  return vec2u(u32((share - high) * 0x1p32), u32(high));
}

// The target of a search over tokens that weigh `total`, some of which top_k has excluded.
fn target_of_search(stage: u32, by_probability: bool, total: vec2u, largest: f32) -> vec2u {
  if (!by_probability) {
    return vec2u(min(sampling.top_k, total.x), 0u);
  }
  var kept = total;
  if (stage == 4u) {
    let top_k = cuts[3];
    let n_excluded = top_k.inside.x - top_k.remaining.x;
    let weight = probability_weight(from_order_key(top_k.key), largest);
    kept = subtract64(total, multiply64(weight, n_excluded));
  }
  let target_weight = share64(kept, sampling.top_p);
  return select(target_weight, vec2u(1u, 0u), all(target_weight == vec2u(0u)));
}

// The i-th bin in order, the largest keys first.
fn bin_in_order(i: u32) -> u32 {
  return n_bins - 1u - i;
}

// The first bin at which the sum of weights reaches the target, by one lane.
fn first_to_reach(stage: u32, by_probability: bool, largest: f32) -> Cut {
  var total = vec2u(0u);
  for (var group = 0u; group < n_groups; group++) {
    total = add64(total, weight_of_group[group]);
  }
  var cut = Cut(0u, nobody, vec2u(0u), vec2u(0u));
  let round = stage % 4u;
  if (round == 0u) {
    cut.remaining = target_of_search(stage, by_probability, total, largest);
  } else {
    cut = cuts[stage - 1u];
  }
  if (all(cut.remaining == vec2u(0u)) || is_less64(total, cut.remaining)) {
    return Cut(nobody, nobody, vec2u(0u), vec2u(0u));  // without a token, there is no bin
  }
  var group = 0u;
  for (; group < n_groups - 1u && is_less64(weight_of_group[group], cut.remaining); group++) {
    cut.remaining = subtract64(cut.remaining, weight_of_group[group]);
  }
  for (var i = group * bins_per_group; i < n_bins; i++) {
    cut.inside = weight_of_bin(stage, bin_in_order(i));
    if (!is_less64(cut.inside, cut.remaining)) {
      cut.key |= bin_in_order(i) << (24u - 8u * round);
      break;
    }
    cut.remaining = subtract64(cut.remaining, cut.inside);
  }
  cut.last_id = nobody;
  return cut;
}

// Finds the bin of a stage's histogram where the target is reached. Every invocation calls it, in
// uniform control flow, and gets the result.
fn find_digit(stage: u32, by_probability: bool, largest: f32, lane: u32) -> Cut {
  if (lane < n_groups) {
    var sum = vec2u(0u);
    for (var i = 0u; i < bins_per_group; i++) {
      sum = add64(sum, weight_of_bin(stage, bin_in_order(lane * bins_per_group + i)));
    }
    weight_of_group[lane] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    found = first_to_reach(stage, by_probability, largest);
  }
  return workgroupUniformLoad(&found);
}
