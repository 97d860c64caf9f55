#include "reference/sample_token.h"

#include "base/random.h"

#include <limits>

namespace handloom::reference {

uint32_t sample_token(std::span<const float> logits, float temperature, uint64_t seed,
                      uint32_t position) {
  uint32_t best = kNoToken;
  float best_score = -std::numeric_limits<float>::infinity();
  for (uint32_t id = 0; id < logits.size(); ++id) {
    float score = logits[id];
    if (temperature > 0) score = score * (1 / temperature) + gumbel_noise(seed, position, id);
    if (score > best_score) {  // false for a NaN
      best = id;
      best_score = score;
    }
  }
  return best;
}

}  // namespace handloom::reference
