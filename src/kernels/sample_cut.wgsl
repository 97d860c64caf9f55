// sample_cut: one stage of the search for the key at which top_k, or top_p, cuts the tokens off
//
//   binding  name        type         shape         access
//   0        logits      f32          [vocab_size]  read
//   1        sampling    Sampling     [1]           read
//   2        maxima      u32          [n_maxima]    read
//   3        histograms  atomic<u32>  [8, 256, 2]   read_write   a 64-bit weight a bin
//   4        cuts        Cut          [8]           read_write
//   5        params      Params                     uniform
//
//   dispatch   (ceil(vocab_size / 2048), 1, 1), once for each stage in turn
//   requires   histograms all 0 before stage 0 (sample_maxima), workgroup_size 256: a lane a bin
//   numerics   weights are whole numbers, exact in any order; those of probabilities are as exact
//              as exp
//   cost       reads vocab_size floats
//
// A stage has all workgroups read the histogram of the stage before and come to the same digit, so
// that none has to wait for another; then it adds up the weights of the tokens that share the
// digits found so far, by their next digit.
//
// uses: lib/cut.wgsl
// uses: lib/token_range.wgsl

struct Params {
  vocab_size: u32,
  n_maxima: u32,
  stage: u32,                 // 0 to 3 for the first search, 4 to 7 for a second
  first_by_probability: u32,  // stages from here on weigh probabilities; 8: none
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> sampling: Sampling;
@group(0) @binding(2) var<storage, read> maxima: array<u32>;
@group(0) @binding(3) var<storage, read_write> histograms: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> cuts: array<Cut>;
@group(0) @binding(5) var<uniform> params: Params;

// A weight a bin, and workgroup_size of them: first of the stage before, then of this one.
var<workgroup> low: array<atomic<u32>, n_bins>;
var<workgroup> high: array<atomic<u32>, n_bins>;

fn weight_of_bin(stage: u32, bin: u32) -> vec2u {
  return vec2u(atomicLoad(&low[bin]), atomicLoad(&high[bin]));
}

// Adds without losing the carry.
fn add_to_bin(bin: u32, weight: vec2u) {
  let before = atomicAdd(&low[bin], weight.x);
  let carry = select(0u, 1u, before + weight.x < before);
  if (weight.y + carry > 0u) {
    atomicAdd(&high[bin], weight.y + carry);
  }
}

fn add_to_histogram(bin: u32, weight: vec2u) {
  let at = 2u * (params.stage * n_bins + bin);
  let before = atomicAdd(&histograms[at], weight.x);
  let carry = select(0u, 1u, before + weight.x < before);
  if (weight.y + carry > 0u) {
    atomicAdd(&histograms[at + 1u], weight.y + carry);
  }
}

@compute @workgroup_size(workgroup_size)
fn sample_cut(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let stage = params.stage;
  let by_probability = stage >= params.first_by_probability;
  var largest = 0.0;
  if (by_probability) {
    largest = largest_scaled_logit(params.n_maxima, lane);
  }
  var known = Cut(0u, nobody, vec2u(0u), vec2u(0u));
  if (stage > 0u) {
    let at = 2u * ((stage - 1u) * n_bins + lane);
    atomicStore(&low[lane], atomicLoad(&histograms[at]));
    atomicStore(&high[lane], atomicLoad(&histograms[at + 1u]));
    workgroupBarrier();
    known = find_digit(stage - 1u, stage - 1u >= params.first_by_probability, largest, lane);
    if (group.x == 0u && lane == 0u) {
      cuts[stage - 1u] = known;
    }
  }
  // The second search looks at what the first has left, with its digits all to be found.
  var least_key = 1u;
  if (stage == 4u) {
    least_key = known.key;
    known.key = 0u;
  } else if (stage > 4u) {
    least_key = cuts[3].key;
  }
  atomicStore(&low[lane], 0u);
  atomicStore(&high[lane], 0u);
  workgroupBarrier();

  let shift = 24u - 8u * (stage % 4u);
  let digits_found = select(~0u << (shift + 8u), 0u, stage % 4u == 0u);
  for (var n = 0u; n < tokens_per_lane; n++) {
    let i = token_at(group.x, n, lane);
    if (i < params.vocab_size) {
      let scaled = scaled_logit(logits[i]);
      let key = order_key(scaled);
      if (key >= least_key && (key & digits_found) == known.key) {
        var weight = vec2u(1u, 0u);
        if (by_probability) {
          weight = probability_weight(scaled, largest);
        }
        add_to_bin((key >> shift) & 0xffu, weight);
      }
    }
  }
  workgroupBarrier();
  let weight = vec2u(atomicLoad(&low[lane]), atomicLoad(&high[lane]));
  if (any(weight != vec2u(0u))) {
    add_to_histogram(lane, weight);
  }
}
