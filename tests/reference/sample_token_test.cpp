#include "reference/sample_token.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace handloom::reference {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(SampleToken, GreedyTakesTheLargestAndTheLowestIdOnATie) {
  EXPECT_EQ(sample_token(std::vector<float>{-3, 5, 2, 5}, 0, 1, 2), 1u);
  EXPECT_EQ(sample_token(std::vector<float>{0, 0, 0}, 0, 1, 2), 0u);
  EXPECT_EQ(sample_token(std::vector<float>{-7}, 0, 1, 2), 0u);
}

TEST(SampleToken, NeverChoosesANan) {
  EXPECT_EQ(sample_token(std::vector<float>{kNan, -4, kNan, -3}, 0, 1, 2), 3u);
  EXPECT_EQ(sample_token(std::vector<float>{kNan, -kInfinity}, 0, 1, 2), kNoToken);
  EXPECT_EQ(sample_token(std::vector<float>{kNan, kNan}, 0, 1, 2), kNoToken);
  EXPECT_EQ(sample_token(std::vector<float>{kNan, kNan}, 1, 1, 2), kNoToken);
  for (uint32_t position = 0; position < 50; ++position) {
    EXPECT_EQ(sample_token(std::vector<float>{kNan, -4, -kInfinity}, 1, 1, position), 1u);
  }
}

TEST(SampleToken, TheDrawIsTheFirstArrivalOfARace) {
  // The same choice without a Gumbel: id i arrives at time -log(u) / exp(logit / temperature), and
  // the earliest arrival is chosen. Steps where two arrive within 0.1 % say nothing and are rare.
  const std::vector<float> logits = {0.5f, -1, 2, 1.5f};
  const float temperature = 0.7f;
  const uint64_t seed = 0x123456789abcdefull;
  uint32_t n_clear = 0;
  for (uint32_t position = 0; position < 1000; ++position) {
    std::vector<double> arrival;
    for (uint32_t id = 0; id < logits.size(); ++id) {
      arrival.push_back(-std::log(double{random_uniform(seed, position, id)}) /
                        std::exp(double{logits[id]} / temperature));
    }
    const auto first = std::ranges::min_element(arrival);
    const uint32_t want = static_cast<uint32_t>(first - arrival.begin());
    const double earliest = *first;
    *first = kInfinity;
    if (*std::ranges::min_element(arrival) < 1.001 * earliest) continue;
    ++n_clear;
    EXPECT_EQ(sample_token(logits, temperature, seed, position), want) << "position " << position;
  }
  EXPECT_GT(n_clear, 980u);
}

}  // namespace
}  // namespace handloom::reference
