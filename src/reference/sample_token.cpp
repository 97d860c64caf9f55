#include "reference/sample_token.h"

#include "base/random.h"

#include <cmath>

namespace handloom::reference {

uint32_t sample_token(std::span<const float> logits, float temperature, uint64_t seed,
                      uint32_t position) {
  uint32_t best = kNoToken;
  float best_score = 0;
  for (uint32_t id = 0; id < logits.size(); ++id) {
    float score = logits[id];
    if (temperature > 0) {
      score = score / temperature - std::log(-std::log(random_uniform(seed, position, id)));
    }
    if (std::isnan(score)) continue;
    if (best == kNoToken || score > best_score) {
      best = id;
      best_score = score;
    }
  }
  return best;
}

}  // namespace handloom::reference
