// Bench: what it measures is what generating does, whatever was measured before. No times are
// looked at but for their being there.
#include "tests/support/paths.h"

#include <handloom/bench.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace handloom {
namespace {

Engine& llama2() {
  static Engine engine = [] {
    Result<Engine> loaded = Engine::load(golden_dir() + "/llama2", {.precision = Precision::f32});
    if (!loaded) {
      ADD_FAILURE() << loaded.error().message;
      std::exit(1);
    }
    return std::move(*loaded);
  }();
  return engine;
}

uint32_t largest(const HostTensor& logits, size_t row) {
  const auto first = logits.values.begin() + static_cast<std::ptrdiff_t>(row * logits.shape[1]);
  return static_cast<uint32_t>(std::max_element(first, first + logits.shape[1]) - first);
}

TEST(Bench, GreedyIdsAreTheLargestOfTheirLogits) {
  Bench bench = Bench::create(llama2()).value();
  const std::vector<uint32_t> ids = bench.greedy(20, 12, {}).value();
  ASSERT_EQ(ids.size(), 12u);
  const HostTensor logits = bench.logits(20, ids).value();
  ASSERT_EQ(logits.shape, (std::vector<uint32_t>{12, llama2().model().vocab_size}));
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(largest(logits, i), ids[i]) << i;
}

TEST(Bench, WhatIsHeldStaysAsItWas) {
  Bench bench = Bench::create(llama2()).value();
  const auto first = bench.greedy(20, 12, {}).value();
  ASSERT_TRUE(bench.decode(100, 8, {}));
  ASSERT_TRUE(bench.prefill(64, {}));
  ASSERT_TRUE(bench.profile_decode(40));
  EXPECT_EQ(bench.greedy(20, 12, {}).value(), first);
  EXPECT_EQ(bench.greedy(20, 12, {.sample_on_host = true}).value(), first);
}

TEST(Bench, DecodesPastEndTokensAndCountsBytes) {
  Bench bench = Bench::create(llama2()).value();
  const Timings made = bench.decode(100, 300, {}).value();
  EXPECT_EQ(made.n_generated, 301u);
  EXPECT_EQ(made.n_prompt, 1u) << "the rest is held";
  const ModelInfo& model = llama2().model();
  uint64_t bytes = 0;
  for (uint64_t n_keys = 101; n_keys <= 400; ++n_keys) {
    bytes += model.weight_bytes_per_token + n_keys * model.kv_bytes_per_token;
  }
  EXPECT_EQ(made.decode_bytes, bytes);
  EXPECT_EQ(bench.prefill(64, {}).value().n_prompt, 64u);
}

TEST(Bench, EndsEarlyWhereTheCallerSaysSo) {
  Bench bench = Bench::create(llama2()).value();
  int n_left = 3;
  const Timings made = bench.decode(16, 100, {.go_on = [&] { return --n_left > 0; }}).value();
  EXPECT_EQ(made.n_generated, 3u);
}

TEST(Bench, RefusesWhatTheContextCannotHold) {
  Bench bench = Bench::create(llama2()).value();
  const auto refused = bench.decode(500, 13, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "bench: 13 steps after 500 tokens are asked for, expected at least one token and both "
            "within the context of 512");
  EXPECT_TRUE(bench.decode(500, 12, {}));
  EXPECT_FALSE(bench.decode(0, 4, {}));
  EXPECT_FALSE(bench.greedy(4'000'000'000, 1000, {}));
  EXPECT_FALSE(bench.profile_prefill(512));
  EXPECT_FALSE(bench.prefill(512, {}));
}

TEST(Bench, AProfileHasATimeForEveryDispatchOfThePlan) {
  Bench bench = Bench::create(llama2()).value();
  const StepProfile decode = bench.profile_decode(100).value();
  const Plan plan = llama2().plan_decode(99).value();
  ASSERT_EQ(decode.entries.size(), plan.entries.size());
  ASSERT_EQ(decode.us.size(), plan.entries.size());
  double sum = 0;
  for (size_t i = 0; i < plan.entries.size(); ++i) {
    EXPECT_EQ(decode.entries[i].kernel, plan.entries[i].kernel);
    EXPECT_EQ(decode.entries[i].bytes, plan.entries[i].bytes);
    sum += decode.us[i];
  }
  EXPECT_GT(sum, 0.0);
  EXPECT_GT(decode.span_us, 0.0);
  EXPECT_GE(bench.profile_prefill(100).value().entries.size(), plan.entries.size());
}

TEST(Bench, ATraceCountsSteadySteps) {
  Bench bench = Bench::create(llama2()).value();
  const StepTrace trace = bench.trace_decode(16, 64, {}).value();
  EXPECT_GT(trace.n_steps, 0u);
  EXPECT_LE(trace.n_steps, 64u);
  EXPECT_GT(trace.step_us, 0.0);
  EXPECT_GE(trace.idle, 0.0);
  EXPECT_LT(trace.idle, 1.0);
}

TEST(KernelHashes, AreOfDifferentTexts) {
  const std::vector<KernelHash> hashes = kernel_hashes();
  ASSERT_GT(hashes.size(), 20u);
  std::set<std::string> sums;
  for (const KernelHash& hash : hashes) {
    EXPECT_EQ(hash.md5.size(), 32u);
    sums.insert(hash.md5);
  }
  EXPECT_EQ(sums.size(), hashes.size());
}

}  // namespace
}  // namespace handloom
