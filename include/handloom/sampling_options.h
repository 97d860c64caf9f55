// How the next token is chosen from the logits.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace handloom {

/// Applied in this order: logit_bias, penalties, temperature, top_k, top_p, min_p, draw.
/// The defaults are greedy: the token with the largest logit, the lowest id on a tie.
struct SamplingOptions {
  float temperature = 0.0f;        // 0: greedy; else logits are divided by it; finite, >= 0
  uint32_t top_k = 0;              // keep the k largest logits; 0: all
  float top_p = 1.0f;              // keep the smallest set whose probability reaches p; (0, 1]
  float min_p = 0.0f;              // drop tokens below min_p * (largest probability); [0, 1)
  float repeat_penalty = 1.0f;     // logits of tokens seen: l > 0 ? l / penalty : l * penalty; > 0
  float frequency_penalty = 0.0f;  // subtracted once per occurrence among the generated tokens
  float presence_penalty = 0.0f;   // subtracted once if the token was generated at all
  std::vector<std::pair<uint32_t, float>> logit_bias = {};  // (token id, added to its logit)
  uint64_t seed = 0;                                        // same seed, same adapter: same text
};

}  // namespace handloom
