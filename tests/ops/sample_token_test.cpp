// sample_token against reference::sample_token: greedy choices exactly; draws wherever the two best
// scores are further apart than the logarithms of a GPU may be off. What filters and penalties do
// is tested against the host's sampler, in tests/sampling.
#include "ops/sample_token.h"
#include "base/random.h"
#include "reference/sample_token.h"
#include "tests/support/close.h"
#include "tests/support/refusal.h"
#include "tests/support/sampling_buffers.h"
#include "tests/support/variants.h"

namespace handloom::test {
namespace {

constexpr uint32_t kVocabSizes[] = {1, 2, 255, 257, 2048, 5000};  // one to three workgroups
constexpr uint32_t kUntouched = 0xabababab;

/// The state after some draws, beginning at `positions[row]`.
struct Drawn {
  std::vector<uint32_t> token_ids, positions, history;
  bool operator==(const Drawn&) const = default;
};

/// `times` draws, each from the position that the one before it has left.
Drawn draw_by(ops::Sharing sharing, const std::vector<float>& logits, float temperature,
              uint64_t seed, const std::vector<uint32_t>& positions, uint32_t row, uint32_t times) {
  GpuRun run(device().adapter().features);
  const uint32_t vocab_size = static_cast<uint32_t>(logits.size());
  const std::vector<uint32_t> token_ids(positions.size(), kUntouched);
  const std::vector<uint32_t> history(std::ranges::max(positions) + times + 2, kUntouched);
  const ops::StepState state{.token_ids = run.inout("token_ids", token_ids),
                             .positions = run.inout("positions", positions),
                             .history = run.inout("history", history)};
  const gpu::Tensor logits_gpu = run.in("logits", Host({1, vocab_size}, logits));
  const SamplingOptions options = {.temperature = temperature, .seed = seed};
  const ops::SamplingBuffers buffers = sampling_buffers(run, options, {}, vocab_size);
  const uint32_t per_submit = times % 100 == 0 ? 100 : 1;  // a submit costs more than a draw
  for (uint32_t i = 0; i < per_submit; ++i) {
    ops::sample_token(run.encoder(), logits_gpu, buffers, state, row, ops::token_choice(options),
                      sharing);
  }
  const auto ran = run.run(times / per_submit);
  EXPECT_TRUE(ran) << "sample_token vocab_size " << vocab_size;
  if (!ran) return {token_ids, positions, history};
  const auto copy = [&](const gpu::Tensor& t) {
    return std::vector<uint32_t>(run.words(t).begin(), run.words(t).end());
  };
  return {copy(state.token_ids), copy(state.positions), copy(state.history)};
}

/// The same however lanes share the work.
Drawn draw(const std::vector<float>& logits, float temperature, uint64_t seed,
           const std::vector<uint32_t>& positions, uint32_t row = 0, uint32_t times = 1) {
  Drawn drawn = draw_by(ops::Sharing::workgroups, logits, temperature, seed, positions, row, times);
  EXPECT_EQ(drawn, draw_by(ops::Sharing::lanes, logits, temperature, seed, positions, row, times));
  return drawn;
}

uint32_t greedy(const std::vector<float>& logits) { return draw(logits, 0, 1, {0}).token_ids[0]; }

std::vector<float> ramp_logits(uint32_t vocab_size, float largest) {
  std::vector<float> logits = ramp({vocab_size}, 3).values;
  for (float& logit : logits) logit *= largest;
  return logits;
}

TEST(SampleToken, GreedyTakesTheLargestLogitWhereverItIs) {
  for (const uint32_t vocab_size : kVocabSizes) {
    std::vector<float> logits = ramp_logits(vocab_size, 5);
    EXPECT_EQ(greedy(logits), reference::sample_token(logits, 0, 1, 1)) << vocab_size;
    for (const uint32_t id : {0u, vocab_size / 2, vocab_size - 1}) {
      const float before = std::exchange(logits[id], 9);
      EXPECT_EQ(greedy(logits), id) << vocab_size;
      logits[id] = before;
    }
  }
}

TEST(SampleToken, GreedyTakesTheLowestIdOfATie) {
  EXPECT_EQ(greedy(std::vector<float>(5000, -2)), 0u);
  std::vector<float> logits(5000, -2);
  for (const uint32_t id : {4999, 4000, 1537, 1025, 769}) {  // in one lane and in several
    logits[id] = 3;
    EXPECT_EQ(greedy(logits), id);
  }
}

TEST(SampleToken, ANanIsNeverChosen) {
  EXPECT_EQ(greedy({kNan, -4, kNan, -3}), 3u);
  std::vector<float> logits(2048, kNan);
  logits[1900] = -1e30f;
  EXPECT_EQ(greedy(logits), 1900u);
  logits[3] = -kInfinity;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(draw(logits, 1, seed, {0}).token_ids[0], 1900u);
  }
}

TEST(SampleToken, WithoutANumberThereIsNoToken) {
  for (const uint32_t vocab_size : kVocabSizes) {
    for (const float temperature : {0.0f, 1.0f}) {
      const Drawn drawn = draw(std::vector<float>(vocab_size, kNan), temperature, 1, {4, 9});
      EXPECT_EQ(drawn.token_ids, (std::vector<uint32_t>{0, kUntouched}));
      EXPECT_EQ(drawn.history[5], ops::kNoToken);
      EXPECT_EQ(drawn.positions[0], 5u);
    }
  }
}

TEST(SampleToken, MinusInfinityIsNeverChosen) {
  EXPECT_EQ(greedy({-kInfinity, -kInfinity, -3e38f}), 2u);
  EXPECT_EQ(draw({kNan, -kInfinity, -kInfinity}, 0, 1, {0}).history[1], ops::kNoToken);
  EXPECT_EQ(draw(std::vector<float>(300, -kInfinity), 0, 1, {0}).history[1], ops::kNoToken);
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(draw({-kInfinity, 0, -kInfinity}, 0.5f, seed, {0}).token_ids[0], 1u);
  }
}

TEST(SampleToken, LeavesTheNextStepItsTokenAndPosition) {
  const std::vector<float> logits = {0, 1, 7, 2};
  // Row 2 of three rows is the last of a prompt; row 0 is what the next step evaluates.
  const Drawn drawn = draw(logits, 0, 1, {10, 11, 12}, 2);
  EXPECT_EQ(drawn.token_ids, (std::vector<uint32_t>{2, kUntouched, kUntouched}));
  EXPECT_EQ(drawn.positions, (std::vector<uint32_t>{13, 11, 12}));
  std::vector<uint32_t> history(15, kUntouched);
  history[13] = 2;
  EXPECT_EQ(drawn.history, history);
}

TEST(SampleToken, StepsInARowFillTheHistory) {
  const Drawn drawn = draw({0, 1, 7, 2}, 0, 1, {3}, 0, 5);
  EXPECT_EQ(drawn.positions, (std::vector<uint32_t>{8}));
  EXPECT_EQ(drawn.history, (std::vector<uint32_t>{kUntouched, kUntouched, kUntouched, kUntouched, 2,
                                                  2, 2, 2, 2, kUntouched}));
}

/// Roundings of size u, relative, of what stands for -log(u) in random.wgsl: a logarithm is off by
/// 6; the series by two for 1 - u and 1 + u, a quotient, twice that for its square, and the sum.
constexpr double kNegativeLog = 3 * (2 + kDivision) + 3;

/// How far a GPU's score of one token may be from the exact one: the logarithm of -log(u), a
/// quotient and a sum (see close.h for what WGSL allows).
double score_error(float logit, float temperature, float u) {
  const double wait = -std::log(double{u}), noise = std::abs(std::log(wait));
  const double relative = 6 * kU * noise;  // 3 ULP
  const double log_error = wait >= 0.5 && wait <= 2 ? std::max(relative, 0x1p-21) : relative;
  const double scaled = std::abs(double{logit} / temperature);
  return kNegativeLog * kU + log_error + kDivision * kU * scaled + kU * (scaled + noise);
}

/// Whether exact arithmetic and the GPU's must agree: the best score is above all others by more
/// than both may be off. The reference in f32 is held to the same errors.
bool is_clear(const std::vector<float>& logits, float temperature, uint64_t seed, uint32_t position,
              uint32_t best) {
  const auto score = [&](uint32_t id, double sign) {
    const float u = random_uniform(seed, position, id);
    return double{logits[id]} / temperature - std::log(-std::log(double{u})) +
           sign * 2 * score_error(logits[id], temperature, u);
  };
  const double lowest = score(best, -1);
  for (uint32_t id = 0; id < logits.size(); ++id) {
    if (id != best && score(id, 1) >= lowest) return false;
  }
  return true;
}

void check_draws(const std::vector<float>& logits, float temperature, uint64_t seed) {
  constexpr uint32_t kDraws = 300;
  const Drawn drawn = draw(logits, temperature, seed, {0}, 0, kDraws);
  uint32_t n_clear = 0;
  for (uint32_t position = 1; position <= kDraws; ++position) {
    const uint32_t want = reference::sample_token(logits, temperature, seed, position);
    if (!is_clear(logits, temperature, seed, position, want)) continue;
    ++n_clear;
    EXPECT_EQ(drawn.history[position], want)
        << "sample_token vocab_size " << logits.size() << " temperature " << temperature << " seed "
        << seed << " position " << position;
  }
  EXPECT_GE(n_clear, kDraws * 95 / 100) << "vocab_size " << logits.size();
}

TEST(SampleToken, DrawsWhatTheReferenceDraws) {
  for (const uint32_t vocab_size : kVocabSizes) {
    for (const uint64_t seed : {0ull, 1ull, 0xfedcba9876543210ull}) {
      for (const float temperature : {0.3f, 1.0f, 1.7f}) {
        check_draws(ramp_logits(vocab_size, 6), temperature, seed);
      }
    }
  }
}

/// A draw whose u is the largest there is, 1 - 2^-24: `id` of `position` under seed 0.
std::pair<uint32_t, uint32_t> find_largest_u(uint32_t vocab_size) {
  for (uint32_t position = 1;; ++position) {
    for (uint32_t id = 0; id < vocab_size; ++id) {
      if (random_bits(0, position, id) >> 9 == 0x7fffff) return {position, id};
    }
  }
}

TEST(SampleToken, TheLargestNoiseThereIsDoesNotBeatEveryLogit) {
  // Its exact noise is 24 ln 2 = 16.6. Where a driver's log(1 - 2^-24) is 0 or above, the plain
  // formula gives infinity or NaN: a token of no probability is drawn, or a likely one never.
  const uint32_t vocab_size = 2000;
  const auto [position, id] = find_largest_u(vocab_size);
  ASSERT_EQ(random_uniform(0, position, id), 1 - 0x1p-24f);
  std::vector<float> logits(vocab_size, -60);
  const uint32_t likely = id == 7 ? 8 : 7;
  logits[likely] = 0;
  EXPECT_EQ(draw(logits, 1, 0, {position - 1}).token_ids[0], likely);
  std::vector<float> alone(vocab_size, -60);
  alone[id] = -50;  // its noise is 10 above that of most
  EXPECT_EQ(draw(alone, 1, 0, {position - 1}).token_ids[0], id);
}

TEST(SampleToken, DrawsFollowTheSoftmax) {
  // Chi-square over 16 tokens of probabilities from 0.5 % to 25 %, against the value that a fair
  // draw exceeds once in 10,000 (Wilson and Hilferty's approximation, z = 3.72).
  constexpr uint32_t kDraws = 8000, kTokens = 16;
  std::vector<float> logits(kTokens);
  for (uint32_t id = 0; id < kTokens; ++id) logits[id] = 0.5f * static_cast<float>(id % 8);
  const float temperature = 0.9f;
  const Drawn drawn = draw(logits, temperature, 20, {0}, 0, kDraws);
  std::vector<double> expected(kTokens);
  double total = 0;
  for (uint32_t id = 0; id < kTokens; ++id) {
    total += expected[id] = std::exp(double{logits[id]} / temperature);
  }
  std::vector<uint32_t> count(kTokens);
  for (uint32_t p = 1; p <= kDraws; ++p) ++count.at(drawn.history[p]);
  double chi_square = 0;
  for (uint32_t id = 0; id < kTokens; ++id) {
    const double e = kDraws * expected[id] / total;
    chi_square += (count[id] - e) * (count[id] - e) / e;
  }
  const double k = kTokens - 1;
  const double limit = k * std::pow(1 - 2 / (9 * k) + 3.72 * std::sqrt(2 / (9 * k)), 3);
  EXPECT_LT(chi_square, limit);
  EXPECT_GT(chi_square, 1) << "draws are as even as no draw is";
}

TEST(SampleToken, RefusesWrongShapes) {
  const auto message = [](Shape logits, Shape adjustments, uint32_t row) {
    return refusal([&](gpu::Encoder& enc) {
      ops::sample_token(enc, f32(logits, "logits"),
                        {.options = u32({10}, "options"),
                         .adjustments = u32(adjustments, "adjustments"),
                         .maxima = u32({1}, "maxima"),
                         .histograms = u32({8, 256, 2}, "histograms"),
                         .cuts = u32({8, 6}, "cuts"),
                         .best = u32({1, 2}, "best")},
                        {.token_ids = u32({4}, "token_ids"),
                         .positions = u32({4}, "positions"),
                         .history = u32({4}, "history")},
                        row, {});
    });
  };
  EXPECT_EQ(message({2, 8}, {8, 2}, 0),
            "sample_token: logits 'logits' has shape [2, 8], expected [1, 8]");
  EXPECT_EQ(message({1, 8}, {8}, 0),
            "sample_token: adjustments 'adjustments' has shape [8], expected [8, 2]");
  EXPECT_EQ(message({1, 8}, {8, 2}, 4), "sample_token: row is 4, expected at most 3");
}

}  // namespace
}  // namespace handloom::test
