#pragma once

#include <cstdint>
#include <span>

namespace handloom::reference {

/// The next token: with temperature 0 the id of the largest logit; else a draw from
/// softmax(logits / temperature) by the Gumbel-max trick: the id with the largest
///
///     logits[id] / temperature - log(-log(u)),  u = random_uniform(seed, position, id)
///
/// (Maddison, Tarlow and Minka, "A* Sampling", 2014). The lowest id wins a tie. A NaN is never
/// chosen while there is a logit that is not NaN and not -infinity; without any, the answer is 0.
///
///   logits       [vocab_size]
///   temperature  finite, >= 0, and large enough that no logit overflows when divided by it
///
/// In f32, because a draw is one of two neighbours by the last bit and the GPU has no more.
uint32_t sample_token(std::span<const float> logits, float temperature, uint64_t seed,
                      uint32_t position);

}  // namespace handloom::reference
