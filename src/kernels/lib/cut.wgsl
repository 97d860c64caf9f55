// Where tokens in order, the larger scaled logit first and then the lower id, are cut off: at the
// first where the weights so far reach a target. A token weighs 1 (top_k) or its probability
// (top_p). The place is found digit by digit of the order keys, from histograms of weights.
//
// Weights are whole numbers, so that their sums depend on no order: probabilities relative to the
// largest one, in units of 2^-40. A vocabulary of 2^22 tokens stays below 2^63.
//
// uses: lib/cut_record.wgsl
// uses: lib/largest_logit.wgsl
// uses: lib/u64.wgsl

const n_bins = 256u;  // and workgroup_size: a lane each

var<workgroup> weights_so_far: array<vec2u, n_bins>;
var<workgroup> found: Cut;

fn probability_weight(scaled: f32, largest: f32) -> vec2u {
  let share = exp(log_share(scaled, largest)) * 256.0;
  let high = floor(share);
  return vec2u(u32((share - high) * 0x1p32), u32(high));
}

// Sums of the weights of lanes 0 to this one, for every lane.
fn accumulate(weight: vec2u, lane: u32) -> vec2u {
  var sum = weight;
  weights_so_far[lane] = sum;
  workgroupBarrier();
  for (var distance = 1u; distance < n_bins; distance *= 2u) {
    var before = vec2u(0u);
    if (lane >= distance) {
      before = weights_so_far[lane - distance];
    }
    workgroupBarrier();
    sum = add64(sum, before);
    weights_so_far[lane] = sum;
    workgroupBarrier();
  }
  return sum;
}

// Whether the lane whose weight brought the sum to `sum` is the one that reaches the target.
fn reaches(sum: vec2u, weight: vec2u, target_weight: vec2u) -> bool {
  return !is_less64(sum, target_weight) && is_less64(subtract64(sum, weight), target_weight);
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

// A lane's bin, the largest keys first.
fn bin_of(lane: u32) -> u32 {
  return n_bins - 1u - lane;
}

// Finds the bin of a stage's histogram where the target is reached; `weight` is that of the lane's
// bin. Every invocation calls it, in uniform control flow, and gets the result.
fn find_digit(stage: u32, by_probability: bool, weight: vec2u, largest: f32, lane: u32) -> Cut {
  let sum = accumulate(weight, lane);
  let round = stage % 4u;
  var before = Cut(0u, nobody, vec2u(0u), vec2u(0u));
  if (round == 0u) {
    before.remaining = target_of_search(stage, by_probability, weights_so_far[n_bins - 1u], largest);
  } else {
    before = cuts[stage - 1u];
  }
  if (lane == 0u) {
    found = Cut(nobody, nobody, vec2u(0u), vec2u(0u));  // without a token, there is no bin
  }
  workgroupBarrier();
  if (reaches(sum, weight, before.remaining)) {
    found = Cut(before.key | (bin_of(lane) << (24u - 8u * round)), nobody,
                subtract64(before.remaining, subtract64(sum, weight)), weight);
  }
  return workgroupUniformLoad(&found);
}
