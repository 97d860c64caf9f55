// sample_ties: ends the search of sample_cut: the key, and the last id kept of the tokens that have it
//
//   binding  name        type      shape         access
//   0        logits      f32       [vocab_size]  read
//   1        sampling    Sampling  [1]           read
//   2        maxima      u32       [n_maxima]    read
//   3        histograms  u32       [8, 256, 2]   read
//   4        cuts        Cut       [8]           read_write   the last one is the answer
//   5        params      Params                  uniform
//
//   dispatch   (1, 1, 1)
//   numerics   as sample_cut
//   cost       next to nothing; reads vocab_size floats if equal logits lie at the edge
//
// uses: lib/cut.wgsl

struct Params {
  vocab_size: u32,
  n_maxima: u32,
  last_stage: u32,            // 3 or 7
  first_by_probability: u32,  // as for sample_cut
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> sampling: Sampling;
@group(0) @binding(2) var<storage, read> maxima: array<u32>;
@group(0) @binding(3) var<storage, read> histograms: array<u32>;
@group(0) @binding(4) var<storage, read_write> cuts: array<Cut>;
@group(0) @binding(5) var<uniform> params: Params;

const workgroup_size = 64u;

var<workgroup> cuts_ties: bool;
var<workgroup> ties_in_run: array<u32, workgroup_size>;

fn weight_of_bin(stage: u32, bin: u32) -> vec2u {
  let at = 2u * (stage * n_bins + bin);
  return vec2u(histograms[at], histograms[at + 1u]);
}

fn has_key(i: u32, key: u32) -> bool {
  return i < params.vocab_size && order_key(scaled_logit(logits[i])) == key;
}

@compute @workgroup_size(workgroup_size)
fn sample_ties(@builtin(local_invocation_index) lane: u32) {
  let by_probability = params.last_stage >= params.first_by_probability;
  var largest = 0.0;
  if (by_probability) {
    largest = largest_scaled_logit(params.n_maxima, lane);
  }
  let cut = find_digit(params.last_stage, by_probability, largest, lane);
  var weight = vec2u(1u, 0u);
  if (by_probability) {
    weight = probability_weight(from_order_key(cut.key), largest);
  }
  // Nearly always one token has the key. Only where several have it, and not all of them are kept, the
  // logits are read once more.
  if (lane == 0u) {
    cuts[params.last_stage] = cut;
    cuts_ties = any(cut.remaining != cut.inside) && any(cut.inside != weight);
  }
  if (!workgroupUniformLoad(&cuts_ties)) {
    return;
  }

  // A lane counts the ties in a run of ids; in the run that reaches the target the first counts again.
  let run = (params.vocab_size + workgroup_size - 1u) / workgroup_size;
  var n_ties = 0u;
  for (var i = lane * run; i < (lane + 1u) * run; i++) {
    n_ties += select(0u, 1u, has_key(i, cut.key));
  }
  ties_in_run[lane] = n_ties;
  workgroupBarrier();
  if (lane > 0u) {
    return;
  }
  var so_far = vec2u(0u);
  for (var r = 0u; r < workgroup_size; r++) {
    let with_run = add64(so_far, multiply64(weight, ties_in_run[r]));
    if (is_less64(with_run, cut.remaining)) {
      so_far = with_run;
      continue;
    }
    for (var i = r * run; i < (r + 1u) * run; i++) {
      if (has_key(i, cut.key)) {
        so_far = add64(so_far, weight);
        if (!is_less64(so_far, cut.remaining)) {
          cuts[params.last_stage].last_id = i;
          return;
        }
      }
    }
  }
}
