// The choice of the next token on the GPU, by every option of SamplingOptions.
#pragma once

#include "gpu/encoder.h"
#include "ops/sharing.h"

#include <handloom/sampling_options.h>

#include <cstdint>
#include <span>
#include <vector>

namespace handloom::ops {

/// Where a decode step finds its input and leaves its result, without the host.
struct StepState {
  gpu::Tensor token_ids;  // u32 [rows]         row 0 becomes the chosen token
  gpu::Tensor positions;  // u32 [rows]         row 0 becomes its position
  gpu::Tensor history;    // u32 [context + 1]  every chosen token, by position
};

/// What history holds where no token could be chosen: every logit was NaN or -infinity.
inline constexpr uint32_t kNoToken = 0xffffffffu;

/// Options as kernels read them, and the host's sampler too, so that both compute with the same
/// numbers: struct Sampling of kernels/lib/sampling.wgsl, word for word.
struct SamplingWords {
  float inverse_temperature = 0;  // 0: greedy
  uint32_t seed_low = 0, seed_high = 0;
  uint32_t top_k = 0;
  uint32_t top_p = 0;   // in units of 2^-32, at least 1
  float log_min_p = 0;  // -infinity: no such filter
  float repeat_penalty = 1, inverse_repeat_penalty = 1;
  float frequency_penalty = 0, presence_penalty = 0;
};
SamplingWords sampling_words(const SamplingOptions& options);

/// Which of the options take part: what a recording depends on. Their values are in buffers.
struct TokenChoice {
  bool adjusts = false;       // biases or penalties
  bool counts_input = false;  // row 0 of token_ids was generated: it counts for the penalties
  bool top_k = false, top_p = false, min_p = false;
  bool operator==(const TokenChoice&) const = default;
};
TokenChoice token_choice(const SamplingOptions& options);

/// What choosing a token takes beside the logits.
struct SamplingBuffers {
  gpu::Tensor options;      // u32 [10]            SamplingWords
  gpu::Tensor adjustments;  // u32 [vocab_size, 2] see adjustments()
  gpu::Tensor maxima;       // u32 [n_groups]
  gpu::Tensor histograms;   // u32 [8, 256, 2]
  gpu::Tensor cuts;         // u32 [8, 6]
  gpu::Tensor best;         // u32 [n_groups, 2]

  static Result<SamplingBuffers> create(gpu::Device& device, uint32_t vocab_size);
  static uint64_t bytes(uint32_t vocab_size);
};

/// The content of SamplingBuffers::adjustments before the first token after `prompt_ids`: of every
/// token the sum of its biases, and whether the prompt has it.
std::vector<uint32_t> adjustments(const SamplingOptions& options,
                                  std::span<const uint32_t> prompt_ids, uint32_t vocab_size);

/// Adds biases to the logits and applies the penalties, in place. With `counts_input` row 0 of
/// token_ids was generated and is counted first.
/// Kernel: kernels/adjust_logits.wgsl
///
///   logits     f32 [1, vocab_size]
///   token_ids  u32 [rows]
void adjust_logits(gpu::Encoder& enc, const gpu::Tensor& logits, const SamplingBuffers& buffers,
                   const gpu::Tensor& token_ids, bool counts_input);

/// The next token, as sampling::Sampler chooses it once logits are adjusted.
/// Kernels: kernels/sample_draw.wgsl and sample_token.wgsl; before them, if anything but the
/// temperature takes part, sample_maxima.wgsl, and for top_k and top_p sample_cut.wgsl four times
/// each and sample_ties.wgsl.
///
///   logits  f32 [1, vocab_size]
///   state   the row `row` of positions belongs to these logits; row 0 is written
///   sharing  of the draw: sharing_on() if none
void sample_token(gpu::Encoder& enc, const gpu::Tensor& logits, const SamplingBuffers& buffers,
                  const StepState& state, uint32_t row, const TokenChoice& choice,
                  std::optional<Sharing> sharing = {});

}  // namespace handloom::ops
