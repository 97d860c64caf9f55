#pragma once

#include "gpu/encoder.h"

#include <array>
#include <cstdint>

namespace handloom::ops {

/// Where a decode step finds its input and leaves its result, without the host.
struct StepState {
  gpu::Tensor token_ids;  // u32 [rows]         row 0 becomes the chosen token
  gpu::Tensor positions;  // u32 [rows]         row 0 becomes its position
  gpu::Tensor history;    // u32 [context + 1]  every chosen token, by position
};

/// What history holds where all logits were NaN.
inline constexpr uint32_t kNoToken = 0xffffffffu;

/// id = argmax of logits / temperature + Gumbel noise; temperature 0 is the plain maximum.
/// Kernel: kernels/sample_token.wgsl
///
///   logits    f32 [1, vocab_size]
///   sampling  u32 [4]   as sampling_words() packs it
///   state     the row `row` of positions belongs to these logits; row 0 is written
void sample_token(gpu::Encoder& enc, const gpu::Tensor& logits, const gpu::Tensor& sampling,
                  const StepState& state, uint32_t row);

/// The content of `sampling` for a draw.
std::array<uint32_t, 4> sampling_words(float temperature, uint64_t seed);

}  // namespace handloom::ops
