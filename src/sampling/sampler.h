// The sampler on the host: every option of SamplingOptions over one row of logits. It says what the
// options mean; ops::sample_token does the same on the GPU, where tokens are chosen unless
// GenerateOptions::sample_on_host asks for this one.
#pragma once

#include "base/result.h"
#include "ops/sample_token.h"

#include <handloom/sampling_options.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace handloom::sampling {

/// invalid_argument with one sentence if an option is outside the range that sampling_options.h
/// gives, is not finite, or names a token that a vocabulary of `vocab_size` does not have. A bias
/// of -infinity is allowed: it bans the token.
Result<void> check_options(const SamplingOptions& options, uint32_t vocab_size);

/// Chooses one token per call. It remembers nothing between calls but its scratch memory, so the
/// same arguments give the same token. One thread at a time.
class Sampler {
 public:
  /// `options` must have passed check_options.
  explicit Sampler(SamplingOptions options);

  /// The id of the next token, with a logit that is neither NaN nor -infinity; the lowest id wins
  /// every tie. Each option acts as its comment in sampling_options.h says, in that order, and:
  ///  - repeat_penalty counts prompt and generated tokens, each id once (Keskar et al., "CTRL",
  ///    2019, and Hugging Face's RepetitionPenaltyLogitsProcessor);
  ///  - frequency_penalty and presence_penalty count generated tokens only (the OpenAI API);
  ///  - the temperature's reciprocal multiplies the logits; below 1e-20 it is greedy;
  ///  - top_p is a share of what top_k left. Probabilities are counted as whole multiples of 2^-40
  ///  of
  ///    the largest, so that their sums depend on no order;
  ///  - min_p is compared as a logarithm;
  ///  - the draw adds gumbel_noise(seed, position, id) to each logit left and takes the largest
  ///  sum,
  ///    in f32: with temperature alone, exactly reference::sample_token.
  ///
  /// The GPU chooses the same token from the same logits, but where the rounding decides of its exp
  /// (whether a token is still within top_p) or log (two sums some units of 2^-22 apart), or where
  /// a driver fuses the frequency penalty's product and difference.
  ///
  ///   logits      [vocab_size], overwritten: biased, penalised and scaled by the temperature
  ///   ids         the prompt, then what was generated; the first `prompt_len` are the prompt
  ///   position    of the token that is to be chosen: the counter of the random numbers
  ///
  /// Errors: invalid_argument if no token can be chosen (every logit is NaN or -infinity), if an id
  /// is outside the vocabulary, or if prompt_len exceeds the number of ids.
  Result<uint32_t> sample(std::span<float> logits, std::span<const uint32_t> ids, size_t prompt_len,
                          uint32_t position);

 private:
  struct Candidate {
    float logit;
    uint32_t id;
  };

  /// Larger logit first, then lower id: a total order, so that every filter has one answer.
  static bool comes_before(const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  }

  void apply_bias(std::span<float> logits);
  void apply_repeat_penalty(std::span<float> logits, std::span<const uint32_t> ids);
  void apply_count_penalties(std::span<float> logits, std::span<const uint32_t> generated);
  void keep_top_k();
  void keep_top_p(float largest);
  void keep_min_p(float largest);
  uint32_t draw(uint32_t position) const;

  SamplingOptions options_;
  ops::SamplingWords words_;  // the same numbers as the GPU's
  // Scratch, kept between calls so that a step allocates nothing.
  std::vector<Candidate> candidates_;
  std::map<uint32_t, float> biases_;  // summed by id
  std::vector<uint32_t> counts_;      // [vocab_size], all zero between uses
};

}  // namespace handloom::sampling
