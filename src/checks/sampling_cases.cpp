// Cases of the kernels that choose a token, against the sampler on the host.
#include "checks/kernel_cases.h"
#include "ops/sample_token.h"
#include "sampling/sampler.h"

#include <fmt/format.h>

#include <cstring>

namespace handloom::checks {
namespace {

constexpr uint32_t kVocabSize = 5000;  // three workgroups
constexpr uint32_t kDraws = 16;
const std::vector<uint32_t> kPrompt = {7, 4999, 7, 12};

struct Choosing {
  std::string name;
  SamplingOptions options;
};

/// Half a unit between a logit and the next, in no order: filters and draws hang on no rounding.
Host peaked_logits() {
  Host logits({1, kVocabSize});
  for (uint32_t i = 0; i < kVocabSize; ++i) {
    logits.values[i] = -0.5f * static_cast<float>(i * 1999 % kVocabSize);
  }
  return logits;
}

gpu::Tensor words(KernelRun& run, std::string name, Shape shape) {
  return run.inout(std::move(name), shape, DType::u32,
                   std::vector<uint32_t>(shape.count(), 0xabababab));
}

ops::SamplingBuffers buffers(KernelRun& run, const SamplingOptions& options) {
  const uint32_t n_groups = (kVocabSize + 2047) / 2048;
  const ops::SamplingWords given = ops::sampling_words(options);
  std::vector<uint32_t> option_words(sizeof given / 4);
  std::memcpy(option_words.data(), &given, sizeof given);
  return {.options = run.in("options", option_words),
          .adjustments = run.inout("adjustments", {kVocabSize, 2}, DType::u32,
                                   ops::adjustments(options, kPrompt, kVocabSize)),
          .maxima = words(run, "maxima", {n_groups}),
          .histograms = words(run, "histograms", {8, 256, 2}),
          .cuts = words(run, "cuts", {8, 6}),
          .best = words(run, "best", {n_groups, 2})};
}

std::vector<Expectation> choose(KernelRun& run, const SamplingOptions& options) {
  const Host logits = peaked_logits();
  const auto n_prompt = static_cast<uint32_t>(kPrompt.size());
  const ops::StepState state = {
      .token_ids = run.inout("token_ids", std::vector<uint32_t>{kPrompt.back()}),
      .positions = run.inout("positions", std::vector<uint32_t>{n_prompt - 1}),
      .history = words(run, "history", {n_prompt + kDraws})};
  const gpu::Tensor given = run.in("given", logits), changed = run.inout("logits", logits);
  const ops::SamplingBuffers with = buffers(run, options);
  const ops::TokenChoice choice = ops::token_choice(options);
  std::vector<uint32_t> ids = kPrompt;
  sampling::Sampler sampler(options);
  for (uint32_t n = 0; n < kDraws; ++n) {
    run.encoder().copy(given, changed);
    if (choice.adjusts) {
      ops::adjust_logits(run.encoder(), changed, with, state.token_ids, n > 0);
    }
    ops::sample_token(run.encoder(), changed, with, state, 0, choice);
    std::vector<float> row = logits.values;
    const auto position = static_cast<uint32_t>(ids.size());
    ids.push_back(sampler.sample(row, ids, kPrompt.size(), position).value_or(ops::kNoToken));
  }
  const std::vector<uint32_t> want(ids.begin() + n_prompt, ids.end());
  return {{.tensor = state.history, .want = from_integers(want), .read = [n_prompt](auto all) {
             return from_integers(all.subspan(n_prompt));
           }}};
}

}  // namespace

void add_sampling_cases(KernelCases& cases) {
  const auto add = [&](std::string kernel, std::string_view name, SamplingOptions options) {
    options.seed = 5;
    cases.push_back({std::move(kernel),
                     fmt::format("{} tokens of {}, {}", kDraws, kVocabSize, name),
                     [options](KernelRun& run) { return choose(run, options); }});
  };
  SamplingOptions warm = {};
  warm.temperature = 0.8f;
  add("sample_draw", "temperature 0.8", warm);
  add("sample_token", "greedy", {});
  SamplingOptions min_p = warm, top_k = warm, top_p = warm, penalties = {};
  min_p.min_p = 0.2f;
  add("sample_maxima", "min-p 0.2", min_p);
  top_k.top_k = 3;
  add("sample_cut", "top-k 3", top_k);
  top_p.top_p = 0.7f;
  add("sample_ties", "top-p 0.7", top_p);
  penalties.repeat_penalty = 1.3f;
  penalties.frequency_penalty = 0.25f;
  penalties.presence_penalty = 0.5f;
  add("adjust_logits", "penalties", penalties);
}

}  // namespace handloom::checks
