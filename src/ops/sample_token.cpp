#include "ops/sample_token.h"

#include "base/result.h"
#include "ops/check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace handloom::ops {
namespace {

constexpr uint32_t kTokensPerWorkgroup = 2048;  // as in kernels/lib/token_range.wgsl
constexpr uint32_t kStages = 4;                 // of a search, as in kernels/lib/cut.wgsl
constexpr uint32_t kNoStage = 2 * kStages;      // after all
constexpr uint32_t kMaxVocabSize = 1u << 22;    // as in kernels/lib/cut.wgsl
constexpr uint32_t kInPrompt = 0x80000000u;     // as in kernels/adjust_logits.wgsl
constexpr float kLeastTemperature = 1e-20f;     // a logit divided by less may overflow
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool check_buffers(gpu::Encoder& enc, const SamplingBuffers& b, uint32_t vocab_size) {
  const uint32_t n_groups = ceil_div(vocab_size, kTokensPerWorkgroup);
  const auto check = [&](const gpu::Tensor& tensor, std::string_view name, const Shape& shape) {
    return check_shape(enc, "sample_token", name, tensor, shape);
  };
  return check(b.options, "options", {sizeof(SamplingWords) / 4}) &&
         check(b.adjustments, "adjustments", {vocab_size, 2}) &&
         check(b.maxima, "maxima", {n_groups}) &&
         check(b.histograms, "histograms", {kNoStage, 256, 2}) &&
         check(b.cuts, "cuts", {kNoStage, 6}) && check(b.best, "best", {n_groups, 2});
}

/// The search for where top_k and top_p cut. Answers with the record of cuts that tells.
uint32_t find_cut(gpu::Encoder& enc, const gpu::Tensor& logits, const SamplingBuffers& b,
                  const TokenChoice& choice) {
  const uint32_t vocab_size = logits.dim(1), n_groups = b.maxima.dim(0);
  const uint32_t n_searches = (choice.top_k ? 1 : 0) + (choice.top_p ? 1 : 0);
  const uint32_t first_by_probability = choice.top_p ? (n_searches - 1) * kStages : kNoStage;
  for (uint32_t stage = 0; stage < n_searches * kStages; ++stage) {
    enc.dispatch({
        .kernel = kernels::sample_cut(),
        .bindings = {logits, b.options, b.maxima, b.histograms, b.cuts},
        .params = kernels::SampleCutParams{.vocab_size = vocab_size,
                                           .n_maxima = n_groups,
                                           .stage = stage,
                                           .first_by_probability = first_by_probability},
        .workgroups = {n_groups, 1, 1},
        .bytes = logits.bytes(),
    });
  }
  const uint32_t last_stage = n_searches * kStages - 1;
  enc.dispatch({
      .kernel = kernels::sample_ties(),
      .bindings = {logits, b.options, b.maxima, b.histograms, b.cuts},
      .params = kernels::SampleTiesParams{.vocab_size = vocab_size,
                                          .n_maxima = n_groups,
                                          .last_stage = last_stage,
                                          .first_by_probability = first_by_probability},
      .bytes = b.cuts.bytes(),
  });
  return last_stage;
}

}  // namespace

SamplingWords sampling_words(const SamplingOptions& options) {
  const bool is_greedy = options.temperature < kLeastTemperature;
  const double top_p = std::round(double{options.top_p} * 0x1p32);
  return {
      .inverse_temperature = is_greedy ? 0.0f : 1.0f / options.temperature,
      .seed_low = static_cast<uint32_t>(options.seed),
      .seed_high = static_cast<uint32_t>(options.seed >> 32),
      .top_k = options.top_k,
      .top_p = static_cast<uint32_t>(std::clamp(top_p, 1.0, 0x1p32 - 1)),
      .log_min_p =
          options.min_p > 0 ? static_cast<float>(std::log(double{options.min_p})) : -kInfinity,
      .repeat_penalty = options.repeat_penalty,
      .inverse_repeat_penalty = 1.0f / options.repeat_penalty,
      .frequency_penalty = options.frequency_penalty,
      .presence_penalty = options.presence_penalty,
  };
}

TokenChoice token_choice(const SamplingOptions& options) {
  // A greedy choice is the likeliest token, which every filter keeps.
  const bool is_drawn = options.temperature >= kLeastTemperature;
  return {.adjusts = options.repeat_penalty != 1 || options.frequency_penalty != 0 ||
                     options.presence_penalty != 0 || !options.logit_bias.empty(),
          .top_k = is_drawn && options.top_k > 0,
          .top_p = is_drawn && options.top_p < 1,
          .min_p = is_drawn && options.min_p > 0};
}

Result<SamplingBuffers> SamplingBuffers::create(gpu::Device& device, uint32_t vocab_size) {
  constexpr auto kKind = gpu::MemoryKind::activations;
  const uint32_t n_groups = ceil_div(vocab_size, kTokensPerWorkgroup);
  constexpr auto kU32 = DType::u32;
  SamplingBuffers b;
  TRY(b.options,
      device.create_tensor("sampling.options", kU32, {sizeof(SamplingWords) / 4}, kKind));
  TRY(b.adjustments, device.create_tensor("sampling.adjustments", kU32, {vocab_size, 2}, kKind));
  TRY(b.maxima, device.create_tensor("sampling.maxima", kU32, {n_groups}, kKind));
  TRY(b.histograms, device.create_tensor("sampling.histograms", kU32, {kNoStage, 256, 2}, kKind));
  TRY(b.cuts, device.create_tensor("sampling.cuts", kU32, {kNoStage, 6}, kKind));
  TRY(b.best, device.create_tensor("sampling.best", kU32, {n_groups, 2}, kKind));
  return b;
}

uint64_t SamplingBuffers::bytes(uint32_t vocab_size) {
  const uint64_t n_groups = ceil_div(vocab_size, kTokensPerWorkgroup);
  const uint64_t n_words = uint64_t{2} * vocab_size + kNoStage * (256 * 2 + 6);
  const auto small = [](uint64_t n) {
    return std::max(n * sizeof(uint32_t), gpu::kLeastTensorBytes);
  };
  return sizeof(SamplingWords) + sizeof(uint32_t) * n_words + small(n_groups) + small(2 * n_groups);
}

std::vector<uint32_t> adjustments(const SamplingOptions& options,
                                  std::span<const uint32_t> prompt_ids, uint32_t vocab_size) {
  std::vector<uint32_t> words(size_t{2} * vocab_size);
  for (const auto& [id, bias] : options.logit_bias) {
    uint32_t& word = words[size_t{2} * id];
    word = std::bit_cast<uint32_t>(std::bit_cast<float>(word) + bias);
  }
  for (const uint32_t id : prompt_ids) words[size_t{2} * id + 1] = kInPrompt;
  return words;
}

void adjust_logits(gpu::Encoder& enc, const gpu::Tensor& logits, const SamplingBuffers& buffers,
                   const gpu::Tensor& token_ids, bool counts_input) {
  const uint32_t vocab_size = logits.dim(1);
  if (!check_shape(enc, "adjust_logits", "logits", logits, {1, vocab_size})) return;
  if (!check_buffers(enc, buffers, vocab_size)) return;
  enc.dispatch({
      .kernel = kernels::adjust_logits(),
      .bindings = {logits, buffers.adjustments, token_ids, buffers.options},
      .params = kernels::AdjustLogitsParams{.vocab_size = vocab_size,
                                            .counts_input = counts_input ? 1u : 0u},
      .workgroups = {ceil_div(vocab_size, kTokensPerWorkgroup), 1, 1},
      .bytes = 2 * logits.bytes() + buffers.adjustments.bytes(),
  });
}

void sample_token(gpu::Encoder& enc, const gpu::Tensor& logits, const SamplingBuffers& buffers,
                  const StepState& state, uint32_t row, const TokenChoice& choice,
                  std::optional<Sharing> sharing) {
  const SamplingBuffers& b = buffers;
  const uint32_t vocab_size = logits.dim(1);
  if (!check_shape(enc, "sample_token", "logits", logits, {1, vocab_size})) return;
  if (!check_most(enc, "sample_token", "vocab_size", vocab_size, kMaxVocabSize)) return;
  if (!check_buffers(enc, b, vocab_size)) return;
  if (!check_most(enc, "sample_token", "row", row, state.positions.dim(0) - 1)) return;

  const uint32_t n_groups = b.maxima.dim(0);
  uint32_t cut = kNoStage;
  if (choice.top_k || choice.top_p || choice.min_p) {
    enc.dispatch({
        .kernel = kernels::sample_maxima(),
        .bindings = {logits, b.maxima, b.histograms},
        .params = kernels::SampleMaximaParams{.vocab_size = vocab_size, .n_workgroups = n_groups},
        .workgroups = {n_groups, 1, 1},
    });
  }
  if (choice.top_k || choice.top_p) cut = find_cut(enc, logits, b, choice);
  enc.dispatch({
      .kernel = kernels::sample_draw(),
      .bindings = {logits, b.options, state.positions, b.maxima, b.cuts, b.best},
      .params = kernels::SampleDrawParams{.vocab_size = vocab_size,
                                          .row = row,
                                          .cut = cut,
                                          .n_maxima = choice.min_p ? n_groups : 0},
      .constants = one_vector(enc, sharing),
      .workgroups = {n_groups, 1, 1},
      .bytes = logits.bytes() + b.best.bytes(),
  });
  enc.dispatch({
      .kernel = kernels::sample_token(),
      .bindings = {b.best, state.token_ids, state.positions, state.history},
      .params = kernels::SampleTokenParams{.n_best = n_groups, .row = row},
      .constants = one_vector(enc, sharing),
      .bytes = b.best.bytes(),
  });
}

}  // namespace handloom::ops
