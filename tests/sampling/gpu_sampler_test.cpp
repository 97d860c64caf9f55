// The sampler on the GPU against the one on the host: the same tokens from the same logits, options
// and seed, over thousands of draws, with odd vocabularies, ties and numbers that are none.

// g++ 12 asks that a designated initialiser name every member without a default of its own.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include "sampling/sampler.h"

#include "base/random.h"
#include "tests/support/sampling_buffers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace handloom::sampling {
namespace {

using test::GpuRun;
using test::kInfinity;
using test::kNan;

constexpr uint32_t kUntouched = 0xabababab;

/// What a model would be asked `n_tokens` times over, if it always gave these logits.
struct Scene {
  std::string name;
  std::vector<float> logits;
  SamplingOptions options;
  std::vector<uint32_t> prompt = {0};
  uint32_t n_tokens = 1;

  uint32_t vocab_size() const { return static_cast<uint32_t>(logits.size()); }
};

std::vector<uint32_t> poison(uint32_t n) { return std::vector<uint32_t>(n, kUntouched); }

/// The tokens that the GPU generates; nothing of it on the host.
std::vector<uint32_t> on_gpu(const Scene& scene, ops::Sharing sharing) {
  GpuRun run(test::device().adapter().features);
  const uint32_t vocab_size = scene.vocab_size();
  const auto n_prompt = static_cast<uint32_t>(scene.prompt.size());
  const ops::SamplingBuffers buffers =
      test::sampling_buffers(run, scene.options, scene.prompt, vocab_size);
  const std::vector<uint32_t> first = {n_prompt - 1};
  const ops::StepState state = {.token_ids = run.inout("token_ids", {&scene.prompt.back(), 1}),
                                .positions = run.inout("positions", first),
                                .history = run.inout("history", poison(n_prompt + scene.n_tokens))};
  const gpu::Tensor given = run.in("given", test::Host({1, vocab_size}, scene.logits));
  const gpu::Tensor logits = run.inout("logits", test::Host({1, vocab_size}, scene.logits));
  const ops::TokenChoice choice = ops::token_choice(scene.options);
  for (uint32_t n = 0; n < scene.n_tokens; ++n) {
    run.encoder().copy(given, logits);
    if (choice.adjusts) {
      ops::adjust_logits(run.encoder(), logits, buffers, state.token_ids, n > 0);
    }
    ops::sample_token(run.encoder(), logits, buffers, state, 0, choice, sharing);
  }
  const auto ran = run.run();
  EXPECT_TRUE(ran) << scene.name;
  if (!ran) return {};
  const auto history = run.words(state.history);
  for (uint32_t i = 0; i < n_prompt; ++i) EXPECT_EQ(history[i], kUntouched) << scene.name;
  EXPECT_EQ(run.words(state.positions)[0], n_prompt - 1 + scene.n_tokens) << scene.name;
  return {history.begin() + n_prompt, history.end()};
}

/// The same however lanes share the work.
std::vector<uint32_t> on_gpu(const Scene& scene) {
  std::vector<uint32_t> ids = on_gpu(scene, ops::Sharing::workgroups);
  EXPECT_EQ(ids, on_gpu(scene, ops::Sharing::lanes)) << scene.name;
  return ids;
}

/// How far two sums of a logit and its noise may be apart for the GPU's logarithm to decide: the
/// outer one may be off by 2^-21 near 1 and 3 ULP of a result up to 16.7 elsewhere, what it is
/// taken of by 8 ULP; and the sums round.
double draw_error(float score) {
  return 2 * (0x1p-20 + (3 * 16.7 + 8 + std::abs(score)) * 0x1p-23);
}

/// Whether the host's choice and the GPU's are so close that rounding decides.
bool is_near_tie(const Scene& scene, std::span<const float> scaled, uint32_t position, uint32_t a,
                 uint32_t b) {
  if (scene.options.temperature == 0) return false;
  const auto score = [&](uint32_t id) {
    return double{scaled[id]} + gumbel_noise(scene.options.seed, position, id);
  };
  return std::abs(score(a) - score(b)) <= draw_error(static_cast<float>(score(a)));
}

/// Follows the GPU's tokens with the host's sampler.
void expect_agreement(const Scene& scene) {
  const std::vector<uint32_t> got = on_gpu(scene);
  ASSERT_EQ(got.size(), scene.n_tokens) << scene.name;
  Sampler sampler(scene.options);
  std::vector<uint32_t> ids = scene.prompt;
  uint32_t n_ties = 0;
  for (const uint32_t id : got) {
    std::vector<float> logits = scene.logits;
    const auto position = static_cast<uint32_t>(ids.size());
    const Result<uint32_t> want = sampler.sample(logits, ids, scene.prompt.size(), position);
    const uint32_t want_id = want ? *want : ops::kNoToken;
    if (id != want_id) {
      const bool is_token = want && id < logits.size();
      ASSERT_TRUE(is_token && is_near_tie(scene, logits, position, want_id, id))
          << scene.name << ": vocab_size " << logits.size() << ", position " << position << ": "
          << id << ", expected " << want_id;
      ++n_ties;
    }
    if (id >= logits.size()) return;
    ids.push_back(id);
  }
  EXPECT_LE(n_ties, 1 + scene.n_tokens / 100) << scene.name;
}

/// Logits of a peaked distribution over ids in no order, all different or nearly so.
std::vector<float> peaked(uint32_t vocab_size) {
  std::vector<float> logits(vocab_size);
  for (uint32_t i = 0; i < vocab_size; ++i) {
    const float u = random_uniform(99, vocab_size, i);
    logits[i] = 2 - 3 * std::log(u) * u - 9 * u;
  }
  return logits;
}

/// Logits of 16 values only: many ties at every edge.
std::vector<float> stepped(uint32_t vocab_size) {
  std::vector<float> logits(vocab_size);
  for (uint32_t i = 0; i < vocab_size; ++i) {
    logits[i] = static_cast<float>(random_bits(5, vocab_size, i) >> 28) * 0.25f - 2;
  }
  return logits;
}

const std::vector<std::pair<std::string, SamplingOptions>> kOptions = {
    {"greedy", {}},
    {"temperature", {.temperature = 0.7f, .seed = 0xfedcba9876543210ull}},
    {"hot", {.temperature = 3.0f, .seed = 1}},
    {"top_k 1", {.temperature = 1, .top_k = 1, .seed = 2}},
    {"top_k 40", {.temperature = 1, .top_k = 40, .seed = 3}},
    {"top_k beyond", {.temperature = 1.5f, .top_k = 4000000000u, .seed = 4}},
    {"top_p", {.temperature = 1, .top_p = 0.9f, .seed = 5}},
    {"top_p tiny", {.temperature = 1, .top_p = 1e-9f, .seed = 6}},
    {"top_p most", {.temperature = 2, .top_p = 0.9999f, .seed = 7}},
    {"min_p", {.temperature = 1, .min_p = 0.05f, .seed = 8}},
    {"top_k and top_p", {.temperature = 1.2f, .top_k = 50, .top_p = 0.8f, .seed = 9}},
    {"all", {.temperature = 0.9f, .top_k = 100, .top_p = 0.95f, .min_p = 0.02f, .seed = 10}},
};

TEST(GpuSampler, ChoosesWhatTheHostChooses) {
  for (const uint32_t vocab_size : {1u, 2u, 255u, 257u, 2049u, 5000u}) {
    for (const auto& [name, options] : kOptions) {
      expect_agreement({name + ", peaked", peaked(vocab_size), options, {0}, 25});
      expect_agreement({name + ", stepped", stepped(vocab_size), options, {0}, 25});
    }
  }
}

TEST(GpuSampler, ChoosesFromTheLargestVocabulary) {
  constexpr uint32_t kVocabSize = 262208;  // Gemma 3
  for (const auto& [name, options] : kOptions) {
    expect_agreement({name + ", peaked", peaked(kVocabSize), options, {0}, 2});
    expect_agreement({name + ", stepped", stepped(kVocabSize), options, {0}, 2});
  }
}

TEST(GpuSampler, ThousandsOfDrawsAgree) {
  for (uint32_t run = 0; run < 6; ++run) {
    SamplingOptions options = kOptions.back().second;
    options.seed = run;
    expect_agreement({"all", peaked(2048), options, {run}, 250});
    options.top_k = 0;
    expect_agreement({"top_p and min_p", stepped(2048), options, {run}, 250});
  }
}

TEST(GpuSampler, EqualLogitsAreCutAtTheSameId) {
  const std::vector<float> equal(3000, -1.5f);
  for (const auto& [name, options] : kOptions) {
    expect_agreement({name + ", equal", equal, options, {0}, 30});
  }
  // The ids of a tie lie in several lanes' runs and workgroups.
  std::vector<float> tied(6000, -4);
  for (uint32_t id = 7; id < 6000; id += 97) tied[id] = 2;
  for (const uint32_t top_k : {1u, 2u, 21u, 61u, 62u, 63u, 500u}) {
    expect_agreement({"tied", tied, {.temperature = 1, .top_k = top_k, .seed = 3}, {0}, 200});
    expect_agreement({"tied, top_p",
                      tied,
                      {.temperature = 1, .top_k = top_k, .top_p = 0.5f, .seed = 3},
                      {0},
                      200});
  }
}

TEST(GpuSampler, NansAndInfinitiesAreTreatedAlike) {
  std::vector<float> odd = peaked(3000);
  for (uint32_t id = 0; id < odd.size(); id += 3) odd[id] = id % 2 == 0 ? kNan : -kInfinity;
  std::vector<float> single(3000, -kInfinity);
  single[2500] = -1e30f;
  std::vector<float> infinite = peaked(3000);
  infinite[1200] = infinite[2900] = kInfinity;
  std::vector<float> zeros(300, -0.0f);
  for (uint32_t id = 100; id < 200; ++id) zeros[id] = 0.0f;
  for (const auto& [name, options] : kOptions) {
    expect_agreement({name + ", odd", odd, options, {0}, 50});
    expect_agreement({name + ", single", single, options, {0}, 5});
    expect_agreement({name + ", infinite", infinite, options, {0}, 5});
    expect_agreement({name + ", zeros", zeros, options, {0}, 50});
    expect_agreement({name + ", nan", std::vector<float>(3000, kNan), options, {0}, 1});
    expect_agreement({name + ", none", std::vector<float>(3000, -kInfinity), options, {0}, 1});
  }
}

TEST(GpuSampler, PenaltiesAndBiasesFollowWhatWasGenerated) {
  // Halves and powers of two: nothing depends on how the products are rounded.
  std::vector<std::pair<uint32_t, float>> bias = {
      {3, 2.5f}, {3, 1.0f}, {7, -kInfinity}, {9, -1.0f}};
  const std::vector<std::pair<std::string, SamplingOptions>> cases = {
      {"repeat", {.repeat_penalty = 2}},
      {"frequency", {.frequency_penalty = 0.5f}},
      {"presence", {.presence_penalty = 1.5f}},
      {"bias", {.logit_bias = bias}},
      {"all greedy",
       {.repeat_penalty = 1.25f,
        .frequency_penalty = 0.25f,
        .presence_penalty = 0.5f,
        .logit_bias = bias}},
      {"all drawn",
       {.temperature = 0.8f,
        .top_k = 30,
        .top_p = 0.9f,
        .min_p = 0.01f,
        .repeat_penalty = 1.25f,
        .frequency_penalty = 0.25f,
        .presence_penalty = 0.5f,
        .logit_bias = bias,
        .seed = 77}},
  };
  for (const auto& [name, options] : cases) {
    for (const uint32_t vocab_size : {10u, 300u, 4097u}) {
      expect_agreement({name, peaked(vocab_size), options, {5, 5, 2, 5}, 80});
      expect_agreement({name + ", stepped", stepped(vocab_size), options, {1}, 80});
    }
  }
}

TEST(GpuSampler, BanningEveryTokenLeavesNone) {
  SamplingOptions options;
  for (uint32_t id = 0; id < 20; ++id) options.logit_bias.push_back({id, -kInfinity});
  const Scene scene = {"banned", peaked(20), options};
  EXPECT_EQ(on_gpu(scene), std::vector<uint32_t>{ops::kNoToken});
  expect_agreement(scene);
}

TEST(GpuSampler, TheAgreementCanFail) {
  const Scene scene = {"other seed", peaked(2048), {.temperature = 1, .seed = 1}, {0}, 100};
  Scene other = scene;
  other.options.seed = 2;
  EXPECT_NE(on_gpu(scene), on_gpu(other));
  other = scene;
  other.options.top_k = 2;
  EXPECT_NE(on_gpu(scene), on_gpu(other));
}

}  // namespace
}  // namespace handloom::sampling
