// The host sampler: what each option keeps, in which order, and how often each token is drawn.

// g++ 12 asks that a designated initialiser name every member without a default of its own, and
// SamplingOptions::logit_bias is one.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include "sampling/sampler.h"

#include "base/random.h"
#include "reference/sample_token.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

namespace handloom::sampling {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Logits whose softmax is `p`.
std::vector<float> logits_of(const std::vector<double>& p) {
  std::vector<float> logits;
  for (const double value : p) logits.push_back(static_cast<float>(std::log(value)));
  return logits;
}

/// One token after no history; -1 stands for an error.
int64_t sample_once(const SamplingOptions& options, std::vector<float> logits,
                    uint32_t position = 0) {
  const Result<uint32_t> id = Sampler(options).sample(logits, {}, 0, position);
  return id ? int64_t{*id} : -1;
}

/// How often each token is drawn at positions 0..n-1.
std::vector<double> draw_counts(const SamplingOptions& options, const std::vector<float>& logits,
                                uint32_t n, std::span<const uint32_t> ids = {},
                                size_t prompt_len = 0) {
  Sampler sampler(options);
  std::vector<double> counts(logits.size());
  for (uint32_t position = 0; position < n; ++position) {
    std::vector<float> copy = logits;
    const Result<uint32_t> id = sampler.sample(copy, ids, prompt_len, position);
    EXPECT_TRUE(id) << id.error().message;
    if (!id) break;
    ++counts[*id];
  }
  return counts;
}

/// The tokens that 2000 draws reach. A token of probability 0.01 is missed with 2e-9.
std::set<uint32_t> drawn(const SamplingOptions& options, const std::vector<float>& logits) {
  const std::vector<double> counts = draw_counts(options, logits, 2000);
  std::set<uint32_t> ids;
  for (uint32_t id = 0; id < counts.size(); ++id) {
    if (counts[id] > 0) ids.insert(id);
  }
  return ids;
}

/// Pearson's statistic of `counts` against the distribution `p`, over its bound: above 1 refutes
/// `p`.
///
/// With d degrees of freedom a chi-square variable exceeds d + 2 sqrt(d t) + 2 t with probability
/// exp(-t) at most (Laurent and Massart, 2000, lemma 1); t = 14 makes that one in a million.
double chi_square_over_bound(const std::vector<double>& counts, const std::vector<double>& p) {
  double n = 0, statistic = 0;
  size_t n_possible = 0;
  for (const double count : counts) n += count;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i << " has probability 0";
      continue;
    }
    ++n_possible;
    statistic += (counts[i] - n * p[i]) * (counts[i] - n * p[i]) / (n * p[i]);
  }
  const double d = static_cast<double>(n_possible) - 1, t = 14;
  return statistic / (d + 2 * std::sqrt(d * t) + 2 * t);
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) p.push_back(std::exp(logit / temperature));
  for (const double value : p) sum += value;
  for (double& value : p) value /= sum;
  return p;
}

// ---- Options
// --------------------------------------------------------------------------------------

TEST(CheckOptions, AcceptsTheDefaultsAndTheEndsOfEachRange) {
  EXPECT_TRUE(check_options({}, 10));
  EXPECT_TRUE(
      check_options({.temperature = 100, .top_k = 1000, .top_p = 1e-6f, .min_p = 0.999f}, 10));
  EXPECT_TRUE(check_options({.repeat_penalty = 0.5f, .frequency_penalty = -2}, 10));
  EXPECT_TRUE(check_options({.logit_bias = {{9, -kInfinity}, {0, -100}}}, 10));
}

TEST(CheckOptions, NamesTheOptionAndItsValue) {
  const std::pair<SamplingOptions, std::string> cases[] = {
      {{.temperature = -0.5f}, "sampling: temperature is -0.5, expected 0 or a positive number"},
      {{.temperature = kNan}, "sampling: temperature is nan, expected 0 or a positive number"},
      {{.temperature = kInfinity}, "sampling: temperature is inf, expected 0 or a positive number"},
      {{.top_p = 0}, "sampling: top_p is 0, expected above 0 and at most 1"},
      {{.top_p = 1.5f}, "sampling: top_p is 1.5, expected above 0 and at most 1"},
      {{.top_p = kNan}, "sampling: top_p is nan, expected above 0 and at most 1"},
      {{.min_p = -0.1f}, "sampling: min_p is -0.1, expected at least 0 and below 1"},
      {{.min_p = 1}, "sampling: min_p is 1, expected at least 0 and below 1"},
      {{.min_p = kNan}, "sampling: min_p is nan, expected at least 0 and below 1"},
      {{.repeat_penalty = 0},
       "sampling: repeat_penalty is 0, expected a positive number (1: none)"},
      {{.repeat_penalty = -1},
       "sampling: repeat_penalty is -1, expected a positive number (1: none)"},
      {{.repeat_penalty = kNan},
       "sampling: repeat_penalty is nan, expected a positive number (1: none)"},
      {{.frequency_penalty = kNan},
       "sampling: frequency_penalty is nan, expected a number (0: none)"},
      {{.presence_penalty = -kInfinity},
       "sampling: presence_penalty is -inf, expected a number (0: none)"},
      {{.logit_bias = {{3, 1.0f}, {10, 1.0f}}},
       "sampling: logit_bias names token 10, expected less than vocab_size, 10"},
      {{.logit_bias = {{3, kNan}}},
       "sampling: logit_bias of token 3 is nan, expected a number or -infinity"},
      {{.logit_bias = {{3, kInfinity}}},
       "sampling: logit_bias of token 3 is inf, expected a number or -infinity"},
  };
  for (const auto& [options, message] : cases) {
    const Result<void> result = check_options(options, 10);
    ASSERT_FALSE(result) << message;
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(result.error().message, message);
  }
}

// ---- Greedy
// ---------------------------------------------------------------------------------------

TEST(Greedy, TakesTheLargestLogitAndTheLowestIdOnATie) {
  EXPECT_EQ(sample_once({}, {-3, 5, 2, 5}), 1);
  EXPECT_EQ(sample_once({}, {-kInfinity, kNan, -1e30f}), 2);
  EXPECT_EQ(sample_once({}, {0, kInfinity, kInfinity}), 1);
}

TEST(Greedy, SaysWhenNothingCanBeChosen) {
  for (const float temperature : {0.0f, 1.0f}) {
    std::vector<float> all_nan = {kNan, kNan}, none_finite = {-kInfinity, kNan};
    Sampler sampler({.temperature = temperature});
    const auto nan_result = sampler.sample(all_nan, {}, 0, 0);
    ASSERT_FALSE(nan_result);
    EXPECT_EQ(nan_result.error().message,
              "sampling: logits are all NaN, expected at least one number");
    const auto infinite_result = sampler.sample(none_finite, {}, 0, 0);
    ASSERT_FALSE(infinite_result);
    EXPECT_NE(infinite_result.error().message.find("all NaN or -infinity"), std::string::npos);
  }
}

TEST(Greedy, ActsAfterBiasAndPenalties) {
  EXPECT_EQ(sample_once({.logit_bias = {{2, 10.0f}}}, {1, 3, 0}), 2);
  EXPECT_EQ(sample_once({.logit_bias = {{1, -kInfinity}}}, {1, 3, 0}), 0);

  std::vector<float> logits = {1, 3, 2};
  const uint32_t ids[] = {1};
  EXPECT_EQ(Sampler({.repeat_penalty = 2}).sample(logits, ids, 1, 0), 2u);
}

TEST(Sample, RefusesIdsOutsideTheVocabulary) {
  std::vector<float> logits = {1, 2};
  const uint32_t ids[] = {0, 2};
  EXPECT_EQ(Sampler({}).sample(logits, ids, 0, 0).error().message,
            "sampling: an id of the sequence is 2, expected less than the 2 logits");
  EXPECT_EQ(Sampler({}).sample(logits, {}, 1, 0).error().message,
            "sampling: prompt_len is 1, expected at most the number of ids, 0");
  EXPECT_EQ(Sampler({.logit_bias = {{5, 1.0f}}}).sample(logits, {}, 0, 0).error().message,
            "sampling: logit_bias names token 5, expected less than the 2 logits");
}

// ---- Penalties
// ------------------------------------------------------------------------------------

TEST(Penalties, RepeatPenaltyCountsPromptAndGeneratedTokensOnce) {
  std::vector<float> logits = {4, -4, 4, -4, 0};
  const uint32_t ids[] = {0, 0, 1, 0, 4, 1};  // 0 and 1 in the prompt and generated
  ASSERT_TRUE(Sampler({.repeat_penalty = 2}).sample(logits, ids, 3, 0));
  EXPECT_EQ(logits, (std::vector<float>{2, -8, 4, -4, 0}));
}

TEST(Penalties, FrequencyAndPresenceCountGeneratedTokensOnly) {
  std::vector<float> logits = {4, 4, 4, 4};
  const uint32_t ids[] = {0, 0, 1, 1, 2, 1, 1};  // the prompt is 0 0 1
  Sampler sampler({.frequency_penalty = 0.5f, .presence_penalty = 0.25f});
  ASSERT_TRUE(sampler.sample(logits, ids, 3, 0));
  EXPECT_EQ(logits, (std::vector<float>{4, 4 - 3 * 0.5f - 0.25f, 4 - 0.5f - 0.25f, 4}));

  // Nothing of one call's counts is left for the next.
  logits = {4, 4, 4, 4};
  ASSERT_TRUE(sampler.sample(logits, std::span(ids).first(4), 3, 0));
  EXPECT_EQ(logits, (std::vector<float>{4, 3.25f, 4, 4}));
}

TEST(Penalties, BiasComesFirstThenRepeatThenCounts) {
  // ((1 + 3) / 2) - 0.5 - 0.25; in another order it would be another number.
  std::vector<float> logits = {1, -9};
  const uint32_t ids[] = {0};
  const SamplingOptions options = {.repeat_penalty = 2,
                                   .frequency_penalty = 0.5f,
                                   .presence_penalty = 0.25f,
                                   .logit_bias = {{0, 3.0f}}};
  ASSERT_TRUE(Sampler(options).sample(logits, ids, 0, 0));
  EXPECT_EQ(logits[0], 1.25f);
}

TEST(Penalties, TheTemperatureDividesWhatTheyLeft) {
  std::vector<float> logits = {8, 1};
  const uint32_t ids[] = {0};
  ASSERT_TRUE(Sampler({.temperature = 2, .repeat_penalty = 4}).sample(logits, ids, 0, 0));
  EXPECT_EQ(logits, (std::vector<float>{1, 0.5f}));
}

// ---- Filters
// --------------------------------------------------------------------------------------

const std::vector<double> kFive = {0.1, 0.4, 0.05, 0.25, 0.2};

TEST(TopK, KeepsTheKLargest) {
  const std::vector<float> logits = logits_of(kFive);
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 1}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 3}, logits), (std::set<uint32_t>{1, 3, 4}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 99}, logits), (std::set<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 0}, logits), (std::set<uint32_t>{0, 1, 2, 3, 4}));
}

TEST(TopK, TheLowestIdsWinATieAtTheEdge) {
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 3}, {1, 2, 1, 1, 1}), (std::set<uint32_t>{0, 1, 2}));
}

TEST(TopP, KeepsTheSmallestSetThatReachesP) {
  const std::vector<float> logits = logits_of(kFive);  // in order: 0.4, 0.65, 0.85, 0.95, 1
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 1e-9f}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.39f}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.41f}, logits), (std::set<uint32_t>{1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.84f}, logits), (std::set<uint32_t>{1, 3, 4}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.86f}, logits), (std::set<uint32_t>{0, 1, 3, 4}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.999f}, logits),
            (std::set<uint32_t>{0, 1, 2, 3, 4}));
}

TEST(TopP, TheLowestIdsWinATieAtTheEdge) {
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.45f}, {1, 1, 1, 1, 1}),
            (std::set<uint32_t>{0, 1, 2}));
}

TEST(MinP, DropsWhatIsBelowAShareOfTheLargest) {
  const std::vector<float> logits = logits_of(kFive);  // shares of 0.4: 0.25, 1, 0.125, 0.625, 0.5
  EXPECT_EQ(drawn({.temperature = 1, .min_p = 0.99f}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .min_p = 0.6f}, logits), (std::set<uint32_t>{1, 3}));
  EXPECT_EQ(drawn({.temperature = 1, .min_p = 0.24f}, logits), (std::set<uint32_t>{0, 1, 3, 4}));
}

TEST(Order, TopPIsAShareOfWhatTopKLeft) {
  // Of the two largest, 0.4 and 0.25, the first has 0.615: enough for 0.6, though 0.4 alone is not.
  const std::vector<float> logits = logits_of(kFive);
  EXPECT_EQ(drawn({.temperature = 1, .top_k = 2, .top_p = 0.6f}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.6f}, logits), (std::set<uint32_t>{1, 3}));
}

TEST(Order, TheTemperatureComesBeforeTheFilters) {
  // At temperature 0.5 the probabilities are as the squares: 0.16 of 0.275 is 0.58.
  const std::vector<float> logits = logits_of(kFive);
  EXPECT_EQ(drawn({.temperature = 0.5f, .top_p = 0.57f}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(drawn({.temperature = 0.5f, .min_p = 0.3f}, logits), (std::set<uint32_t>{1, 3}));
}

TEST(Order, MinPActsOnWhatTopPLeft) {
  const std::vector<float> logits = logits_of(kFive);
  EXPECT_EQ(drawn({.temperature = 1, .top_p = 0.86f, .min_p = 0.3f}, logits),
            (std::set<uint32_t>{1, 3, 4}));
}

TEST(Filters, NeverKeepNanOrMinusInfinity) {
  const std::vector<float> logits = {kNan, 0, -kInfinity, 0, kNan};
  for (const SamplingOptions& options :
       {SamplingOptions{.temperature = 1}, SamplingOptions{.temperature = 1, .top_k = 4},
        SamplingOptions{.temperature = 1, .top_p = 0.999f},
        SamplingOptions{.temperature = 1, .min_p = 0.01f}}) {
    EXPECT_EQ(drawn(options, logits), (std::set<uint32_t>{1, 3}));
  }
}

TEST(Filters, ATemperatureTooSmallToDivideByIsGreedy) {
  EXPECT_EQ(sample_once({.temperature = 1e-42f}, {1, 7, 3, 6.999f}), 1);
  EXPECT_EQ(sample_once({.temperature = 1e-42f}, {-9, -7, -8}), 1);
  EXPECT_EQ(sample_once({.temperature = 1, .top_p = 0.5f}, {0, kInfinity, 3}), 1);
}

// ---- The draw
// -------------------------------------------------------------------------------------

const std::vector<float> kLogits = {0, 2, -1, 1.2f, -3, 1.9f, -7, 0.4f};

TEST(Draw, IsTheReferenceWhenTemperatureIsAllThatIsAsked) {
  for (const float temperature : {0.0f, 0.3f, 1.0f, 5.0f}) {
    for (uint32_t position = 0; position < 500; ++position) {
      const SamplingOptions options = {.temperature = temperature, .seed = 0xfeed5eed00000007ull};
      EXPECT_EQ(sample_once(options, kLogits, position),
                reference::sample_token(kLogits, temperature, options.seed, position));
    }
  }
}

TEST(Draw, FollowsTheSoftmaxOfTheLogits) {
  for (const uint64_t seed : {0ull, 1ull, 42ull, 0x9e3779b97f4a7c15ull}) {
    for (const float temperature : {0.5f, 1.0f, 2.0f}) {
      const auto counts = draw_counts({.temperature = temperature, .seed = seed}, kLogits, 50000);
      EXPECT_LT(chi_square_over_bound(counts, softmax(kLogits, temperature)), 1)
          << "seed " << seed << ", temperature " << temperature;
    }
  }
}

TEST(Draw, TheTestAboveCanFail) {
  const auto counts = draw_counts({.temperature = 1, .seed = 42}, kLogits, 50000);
  EXPECT_GT(chi_square_over_bound(counts, softmax(kLogits, 1.05)), 1);
}

TEST(Draw, FollowsTheSoftmaxOfWhatTheFiltersLeft) {
  const std::vector<float> logits = logits_of(kFive);
  const auto top_k = draw_counts({.temperature = 1, .top_k = 3, .seed = 3}, logits, 50000);
  EXPECT_LT(chi_square_over_bound(top_k, {0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85}), 1);
  const auto min_p = draw_counts({.temperature = 1, .min_p = 0.24f, .seed = 4}, logits, 50000);
  EXPECT_LT(chi_square_over_bound(min_p, {0.1 / 0.95, 0.4 / 0.95, 0, 0.25 / 0.95, 0.2 / 0.95}), 1);
}

TEST(Draw, NeighbouringPositionsAndSeedsAreIndependent) {
  // Pairs of draws from (1/2, 1/4, 1/4): at positions 2i and 2i + 1, and of seeds 2i and 2i + 1.
  const std::vector<double> p = {0.5, 0.25, 0.25};
  const std::vector<float> logits = logits_of(p);
  std::vector<double> by_position(9), by_seed(9), expected;
  for (const double a : p) {
    for (const double b : p) expected.push_back(a * b);
  }
  const auto draw = [&](uint64_t seed, uint32_t position) {
    return static_cast<size_t>(sample_once({.temperature = 1, .seed = seed}, logits, position));
  };
  for (uint32_t i = 0; i < 30000; ++i) {
    ++by_position[3 * draw(5, 2 * i) + draw(5, 2 * i + 1)];
    ++by_seed[3 * draw(2 * i, 5) + draw(2 * i + 1, 5)];
  }
  EXPECT_LT(chi_square_over_bound(by_position, expected), 1);
  EXPECT_LT(chi_square_over_bound(by_seed, expected), 1);
}

TEST(Draw, SameArgumentsGiveTheSameToken) {
  const SamplingOptions options = {
      .temperature = 1, .top_k = 5, .top_p = 0.9f, .min_p = 0.01f, .seed = 11};
  Sampler used(options);
  for (uint32_t position = 0; position < 200; ++position) {
    std::vector<float> a = kLogits;
    EXPECT_EQ(used.sample(a, {}, 0, position), sample_once(options, kLogits, position));
  }
  EXPECT_NE(draw_counts({.temperature = 1, .seed = 1}, kLogits, 100),
            draw_counts({.temperature = 1, .seed = 2}, kLogits, 100));
}

TEST(Draw, FiltersThatKeepEverythingChangeNothing) {
  // Each drawn token keeps its own random number, so the order of the candidates does not matter.
  for (uint32_t position = 0; position < 500; ++position) {
    const int64_t want = sample_once({.temperature = 1, .seed = 9}, kLogits, position);
    EXPECT_EQ(sample_once({.temperature = 1, .top_k = 8, .seed = 9}, kLogits, position), want);
    EXPECT_EQ(sample_once({.temperature = 1, .top_p = 0.999999f, .seed = 9}, kLogits, position),
              want);
    EXPECT_EQ(sample_once({.temperature = 1, .min_p = 1e-9f, .seed = 9}, kLogits, position), want);
  }
}

TEST(Draw, TheLowestIdWinsATieOfTheRandomNumbers) {
  // Among 100000 ids some two have the same random number (of 2^23); top_p leaves them in reverse.
  const uint64_t seed = 8;
  std::vector<std::pair<float, uint32_t>> by_number;
  for (uint32_t id = 0; id < 100000; ++id) by_number.push_back({random_uniform(seed, 0, id), id});
  std::ranges::sort(by_number);
  const auto tie = std::ranges::adjacent_find(
      by_number, [](const auto& a, const auto& b) { return a.first == b.first; });
  ASSERT_NE(tie, by_number.end());

  std::vector<float> logits(by_number.size(), -kInfinity);
  logits[tie[0].second] = logits[tie[1].second] = 1;
  EXPECT_EQ(sample_once({.temperature = 1, .top_p = 0.999f, .seed = seed}, logits), tie[0].second);
}

TEST(Draw, ALargeVocabularyIsFilteredAsASortWould) {
  // Logits by formula, with many ties; the filters against a plain sort of everything.
  std::vector<float> logits(131072);
  for (uint32_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(i * 2654435761u >> 20) / 4096 * 12 - 6;
  }
  std::vector<uint32_t> order(logits.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return logits[a] > logits[b]; });

  const uint32_t top_k = 1000;
  double total = 0, sum = 0;
  for (uint32_t i = 0; i < top_k; ++i) total += std::exp(double{logits[order[i]]});
  size_t n_kept = 0;
  while (sum < 0.5f * total) sum += std::exp(double{logits[order[n_kept++]]});

  const SamplingOptions options = {.temperature = 1, .top_k = top_k, .top_p = 0.5f, .seed = 1};
  std::vector<float> kept(logits.size(), -kInfinity);
  for (size_t i = 0; i < n_kept; ++i) kept[order[i]] = logits[order[i]];
  for (uint32_t position = 0; position < 20; ++position) {
    EXPECT_EQ(sample_once(options, logits, position),
              reference::sample_token(kept, 1, options.seed, position));
  }
}

}  // namespace
}  // namespace handloom::sampling
