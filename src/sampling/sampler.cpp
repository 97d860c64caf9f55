#include "sampling/sampler.h"

#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace handloom::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::unexpected<Error> bad_option(std::string_view name, float value, std::string_view expected) {
  return fail(ErrorCode::invalid_argument, "sampling: {} is {}, expected {}", name, value,
              expected);
}

/// Checks everything that indexes the logits, so that the steps below can index freely.
Result<void> check_ids(std::span<const float> logits, std::span<const uint32_t> ids,
                       size_t prompt_len, const SamplingOptions& options) {
  if (prompt_len > ids.size()) {
    return fail(ErrorCode::invalid_argument,
                "sampling: prompt_len is {}, expected at most the number of ids, {}", prompt_len,
                ids.size());
  }
  for (const uint32_t id : ids) {
    if (id >= logits.size()) {
      return fail(ErrorCode::invalid_argument,
                  "sampling: an id of the sequence is {}, expected less than the {} logits", id,
                  logits.size());
    }
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id >= logits.size()) {
      return fail(ErrorCode::invalid_argument,
                  "sampling: logit_bias names token {}, expected less than the {} logits", id,
                  logits.size());
    }
  }
  return {};
}

/// log(probability / the largest probability); of infinities, too.
float log_share(float logit, float largest) { return logit == largest ? 0 : logit - largest; }

/// The same share as a multiple of 2^-40.
uint64_t weight_of(float logit, float largest) {
  const auto share = static_cast<float>(std::exp(double{log_share(logit, largest)}));
  return static_cast<uint64_t>(share * 0x1p40f);
}

/// The id of the largest logit, the lowest on a tie.
Result<uint32_t> argmax(std::span<const float> logits) {
  uint32_t best = 0;
  float best_logit = -kInfinity;
  bool all_nan = true;
  for (uint32_t id = 0; id < logits.size(); ++id) {
    all_nan = all_nan && std::isnan(logits[id]);
    if (logits[id] > best_logit) {  // false for a NaN
      best = id;
      best_logit = logits[id];
    }
  }
  if (best_logit > -kInfinity) return best;
  if (all_nan) {
    return fail(ErrorCode::invalid_argument,
                "sampling: logits are all NaN, expected at least one number");
  }
  return fail(ErrorCode::invalid_argument,
              "sampling: logits are all NaN or -infinity, expected at least one finite; if "
              "logit_bias bans every token, ban fewer");
}

}  // namespace

Result<void> check_options(const SamplingOptions& options, uint32_t vocab_size) {
  // Each comparison is written so that a NaN fails it.
  if (!(options.temperature >= 0 && options.temperature < kInfinity)) {
    return bad_option("temperature", options.temperature, "0 or a positive number");
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return bad_option("top_p", options.top_p, "above 0 and at most 1");
  }
  if (!(options.min_p >= 0 && options.min_p < 1)) {
    return bad_option("min_p", options.min_p, "at least 0 and below 1");
  }
  if (!(options.repeat_penalty > 0 && options.repeat_penalty < kInfinity)) {
    return bad_option("repeat_penalty", options.repeat_penalty, "a positive number (1: none)");
  }
  if (!std::isfinite(options.frequency_penalty)) {
    return bad_option("frequency_penalty", options.frequency_penalty, "a number (0: none)");
  }
  if (!std::isfinite(options.presence_penalty)) {
    return bad_option("presence_penalty", options.presence_penalty, "a number (0: none)");
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id >= vocab_size) {
      return fail(ErrorCode::invalid_argument,
                  "sampling: logit_bias names token {}, expected less than vocab_size, {}", id,
                  vocab_size);
    }
    if (!(bias < kInfinity)) {
      return fail(ErrorCode::invalid_argument,
                  "sampling: logit_bias of token {} is {}, expected a number or -infinity", id,
                  bias);
    }
  }
  return {};
}

Sampler::Sampler(SamplingOptions options)
    : options_(std::move(options)), words_(ops::sampling_words(options_)) {}

Result<uint32_t> Sampler::sample(std::span<float> logits, std::span<const uint32_t> ids,
                                 size_t prompt_len, uint32_t position) {
  CHECK_OK(check_ids(logits, ids, prompt_len, options_));

  apply_bias(logits);
  apply_repeat_penalty(logits, ids);
  apply_count_penalties(logits, ids.subspan(prompt_len));

  TRY(const uint32_t best, argmax(logits));
  if (words_.inverse_temperature == 0) return best;
  const float largest = logits[best] * words_.inverse_temperature;

  candidates_.clear();
  for (uint32_t id = 0; id < logits.size(); ++id) {
    logits[id] *= words_.inverse_temperature;
    if (logits[id] > -kInfinity) candidates_.push_back({logits[id], id});  // false for a NaN
  }
  keep_top_k();
  keep_top_p(largest);
  keep_min_p(largest);
  return draw(position);
}

void Sampler::apply_bias(std::span<float> logits) {
  biases_.clear();
  for (const auto& [id, bias] : options_.logit_bias) biases_[id] += bias;
  for (const auto& [id, bias] : biases_) logits[id] += bias;
}

void Sampler::apply_repeat_penalty(std::span<float> logits, std::span<const uint32_t> ids) {
  if (options_.repeat_penalty == 1) return;
  counts_.resize(logits.size());
  for (const uint32_t id : ids) {
    if (counts_[id]++ > 0) continue;  // once per id, however often it was seen
    logits[id] *= logits[id] > 0 ? words_.inverse_repeat_penalty : words_.repeat_penalty;
  }
  for (const uint32_t id : ids) counts_[id] = 0;
}

void Sampler::apply_count_penalties(std::span<float> logits, std::span<const uint32_t> generated) {
  if (options_.frequency_penalty == 0 && options_.presence_penalty == 0) return;
  counts_.resize(logits.size());
  for (const uint32_t id : generated) ++counts_[id];
  for (const uint32_t id : generated) {
    if (counts_[id] == 0) continue;  // done at its first occurrence
    logits[id] -= static_cast<float>(counts_[id]) * options_.frequency_penalty;
    logits[id] -= options_.presence_penalty;
    counts_[id] = 0;
  }
}

void Sampler::keep_top_k() {
  if (options_.top_k == 0 || options_.top_k >= candidates_.size()) return;
  const auto end = candidates_.begin() + options_.top_k;
  std::nth_element(candidates_.begin(), end - 1, candidates_.end(), comes_before);
  candidates_.erase(end, candidates_.end());
}

// The set is usually a few tokens of a large vocabulary, so the candidates are popped off a heap,
// the likeliest first, instead of sorted. The popped ones gather at the back.
void Sampler::keep_top_p(float largest) {
  if (options_.top_p >= 1) return;
  uint64_t total = 0;
  for (const Candidate& c : candidates_) total += weight_of(c.logit, largest);
  // floor(total * top_p), of which the likeliest token is kept in any case.
  const uint64_t target = std::max<uint64_t>(
      (total >> 32) * words_.top_p + ((total & 0xffffffff) * words_.top_p >> 32), 1);

  const auto comes_after = [](const Candidate& a, const Candidate& b) {
    return comes_before(b, a);
  };
  std::make_heap(candidates_.begin(), candidates_.end(), comes_after);
  auto kept = candidates_.end();
  for (uint64_t sum = 0; kept != candidates_.begin() && sum < target;) {
    std::pop_heap(candidates_.begin(), kept, comes_after);
    --kept;
    sum += weight_of(kept->logit, largest);
  }
  candidates_.erase(candidates_.begin(), kept);
}

void Sampler::keep_min_p(float largest) {
  if (options_.min_p <= 0) return;
  std::erase_if(candidates_,
                [&](const Candidate& c) { return log_share(c.logit, largest) < words_.log_min_p; });
}

uint32_t Sampler::draw(uint32_t position) const {
  Candidate best{-kInfinity, 0};
  for (const Candidate& c : candidates_) {
    const Candidate drawn{c.logit + gumbel_noise(options_.seed, position, c.id), c.id};
    if (comes_before(drawn, best)) best = drawn;
  }
  return best.id;
}

}  // namespace handloom::sampling
