#include "ops/sample_token.h"

#include "ops/check.h"

#include <bit>

namespace handloom::ops {

void sample_token(gpu::Encoder& enc, const gpu::Tensor& logits, const gpu::Tensor& sampling,
                  const StepState& state, uint32_t row) {
  const uint32_t vocab_size = logits.dim(1);

  if (!check_shape(enc, "sample_token", "logits", logits, {1, vocab_size})) return;
  if (!check_shape(enc, "sample_token", "sampling", sampling, {4})) return;
  if (!check_most(enc, "sample_token", "row", row, state.positions.dim(0) - 1)) return;

  enc.dispatch({
      .kernel = kernels::sample_token(),
      .bindings = {logits, sampling, state.token_ids, state.positions, state.history},
      .params = kernels::SampleTokenParams{.vocab_size = vocab_size, .row = row},
      .bytes = logits.bytes(),
  });
}

std::array<uint32_t, 4> sampling_words(float temperature, uint64_t seed) {
  return {std::bit_cast<uint32_t>(temperature), static_cast<uint32_t>(seed),
          static_cast<uint32_t>(seed >> 32), 0};
}

}  // namespace handloom::ops
