#pragma once

#include <cstdint>
#include <span>

namespace handloom::reference {

inline constexpr uint32_t kNoToken = 0xffffffffu;

/// The next token: with temperature 0 the id of the largest logit; else a draw from
/// softmax(logits / temperature) by the Gumbel-max trick: the id with the largest
///
///     logits[id] * (1 / temperature) - log(-log(u)),  u = random_uniform(seed, position, id)
///
/// (Maddison, Tarlow and Minka, "A* Sampling", 2014). The lowest id wins a tie. NaN and
/// -infinity are never chosen: if there is nothing else, the answer is kNoToken.
///
///   logits       [vocab_size]
///   temperature  finite, >= 0, and large enough that no logit overflows when divided by it
///   position     of the token that is to be chosen
///
/// In f32, because a draw is one of two neighbours by the last bit and the GPU has no more.
uint32_t sample_token(std::span<const float> logits, float temperature, uint64_t seed,
                      uint32_t position);

}  // namespace handloom::reference
