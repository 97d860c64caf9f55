// rope, kv_append and attention against values worked out by hand.
#include "reference/attention.h"
#include "reference/kv_append.h"
#include "reference/rope.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>

namespace handloom::reference {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Values in [-1, 1) that follow no pattern an error could hide in.
Host ramp(Shape shape) {
  Host x(shape);
  for (size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] = static_cast<float>(i * 37 % 101) / 50.5f - 1;
  }
  return x;
}

TEST(Rope, AQuarterTurnMovesTheSecondHalfIntoTheFirst) {
  // Angles at position 1: pi/2 for the pair (0, 2), 0 for the pair (1, 3).
  Host x({1, 4}, {1, 2, 3, 4});
  const uint32_t positions[] = {1};
  const float inv_freq[] = {std::acos(0.0f), 0};
  rope(x, positions, inv_freq, 1, 4);
  EXPECT_NEAR(x.values[0], -3, 1e-6);
  EXPECT_EQ(x.values[1], 2);
  EXPECT_NEAR(x.values[2], 1, 1e-6);
  EXPECT_EQ(x.values[3], 4);
}

TEST(Rope, TurnsEachPairAsAComplexNumber) {
  const uint32_t n_heads = 3, head_dim = 6;
  const Host x = ramp({2, 4 * head_dim});  // one head more than is to turn
  const uint32_t positions[] = {7, 300};
  const float inv_freq[] = {1, 0.25f, 0.0625f};

  Host y = x;
  rope(y, positions, inv_freq, n_heads, head_dim);
  for (size_t r = 0; r < 2; ++r) {
    for (size_t h = 0; h < n_heads; ++h) {
      for (size_t i = 0; i < 3; ++i) {
        const size_t first = h * head_dim + i, second = first + 3;
        const std::complex<double> before(x.row(r)[first], x.row(r)[second]);
        const auto after = before * std::polar(1.0, double{inv_freq[i]} * positions[r]);
        EXPECT_NEAR(y.row(r)[first], after.real(), 1e-7);
        EXPECT_NEAR(y.row(r)[second], after.imag(), 1e-7);
      }
    }
    for (size_t i = n_heads * head_dim; i < x.row_dim(); ++i) EXPECT_EQ(y.row(r)[i], x.row(r)[i]);
  }
}

TEST(Rope, LeavesTheDimensionsBeyondRopeDim) {
  Host x({1, 4}, {1, 2, 3, 4});
  const uint32_t positions[] = {2};
  const float inv_freq[] = {std::acos(0.0f)};  // rope_dim 2: half a turn of the pair (0, 1)
  rope(x, positions, inv_freq, 1, 4);
  EXPECT_NEAR(x.values[0], -1, 1e-6);
  EXPECT_NEAR(x.values[1], -2, 1e-6);
  EXPECT_EQ(x.values[2], 3);
  EXPECT_EQ(x.values[3], 4);
}

TEST(KvAppend, PutsEveryElementWhereTheLayoutSays) {
  const uint32_t n_heads = 3, n_kv_heads = 2, head_dim = 4, n_pages = 3;
  const uint32_t page_table[] = {2, 0}, positions[] = {15, 16, 21};
  const Host qkv = ramp({3, (n_heads + 2 * n_kv_heads) * head_dim});
  Host kv = make_kv(n_pages, n_kv_heads, head_dim);
  const uint32_t page_stride = 2 * n_kv_heads * 16 * head_dim;
  ASSERT_EQ(kv.values.size(), n_pages * page_stride);
  std::ranges::fill(kv.values, kNan);

  kv_append(qkv, positions, page_table, kv);
  const uint32_t page_and_slot[][2] = {{2, 15}, {0, 0}, {0, 5}};
  for (uint32_t r = 0; r < 3; ++r) {
    for (uint32_t h = 0; h < n_kv_heads; ++h) {
      for (uint32_t d = 0; d < head_dim; ++d) {
        const auto [page, slot] = page_and_slot[r];
        const uint32_t k = page * page_stride + h * 16 * head_dim + slot * head_dim + d;
        const uint32_t v = k + n_kv_heads * 16 * head_dim;
        EXPECT_EQ(kv.values[k], qkv.row(r)[(n_heads + h) * head_dim + d]);
        EXPECT_EQ(kv.values[v], qkv.row(r)[(n_heads + n_kv_heads + h) * head_dim + d]);
      }
    }
  }
  const auto n_untouched = std::ranges::count_if(kv.values, [](float v) { return std::isnan(v); });
  EXPECT_EQ(static_cast<size_t>(n_untouched), kv.values.size() - 3 * 2 * n_kv_heads * head_dim);
}

TEST(KvAppend, RoundsToTheStorageType) {
  const uint32_t positions[] = {0}, page_table[] = {0};
  const Host qkv({1, 3}, {9, 1 + 0x1p-12f, 1 + 0x1p-9f});
  Host kv = make_kv(1, 1, 1);
  kv_append(qkv, positions, page_table, kv, DType::f16);
  EXPECT_EQ(kv.values[0], 1.0f);
  EXPECT_EQ(kv.values[16], 1 + 0x1p-9f);
  kv_append(qkv, positions, page_table, kv, DType::bf16);
  EXPECT_EQ(kv.values[16], 1.0f);
}

/// A cache of one sequence whose K and V at each position are given, each [positions, head_dim].
Host kv_of(const Host& k, const Host& v, std::span<const uint32_t> page_table, uint32_t n_pages) {
  const uint32_t n = k.dim(0), head_dim = k.dim(1);
  Host qkv({n, 3 * head_dim}), kv = make_kv(n_pages, 1, head_dim);
  std::vector<uint32_t> positions(n);
  std::iota(positions.begin(), positions.end(), 0u);
  for (uint32_t p = 0; p < n; ++p) {
    std::ranges::copy(k.row(p), qkv.row(p).begin() + head_dim);
    std::ranges::copy(v.row(p), qkv.row(p).begin() + 2 * head_dim);
  }
  std::ranges::fill(kv.values, kNan);  // a slot that nothing was stored in must not be read
  kv_append(qkv, positions, page_table, kv);
  return kv;
}

TEST(Attention, WeighsValuesBySoftmaxOfTheScores) {
  // Scores ln 1, ln 2, ln 5 for the query (1, 0): weights 1/8, 2/8, 5/8.
  const Host k({3, 2}, {0, 7, std::log(2.0f), 8, std::log(5.0f), 9});
  const Host v({3, 2}, {8, 0, 0, 16, 0, 80});
  const uint32_t page_table[] = {0}, positions[] = {2, 1, 0};
  const Host kv = kv_of(k, v, page_table, 1);
  const Host qkv({3, 6}, {1, 0, 5, 5, 5, 5, 1, 0, 5, 5, 5, 5, 1, 0, 5, 5, 5, 5});

  const Host y = attention(qkv, positions, page_table, kv, 1, 1, 2, {});
  ASSERT_EQ(y.shape, Shape({3, 2}));
  EXPECT_FLOAT_EQ(y.row(0)[0], 1);
  EXPECT_FLOAT_EQ(y.row(0)[1], 54);
  EXPECT_FLOAT_EQ(y.row(1)[0], 8.0f / 3);  // positions 0 and 1 only: weights 1/3, 2/3
  EXPECT_FLOAT_EQ(y.row(1)[1], 32.0f / 3);
  EXPECT_EQ(y.row(2)[0], 8);  // position 0 sees itself alone
  EXPECT_EQ(y.row(2)[1], 0);
}

TEST(Attention, ScaleMultipliesTheScoresAndLargeOnesDoNotOverflow) {
  const Host k({2, 1}, {0, 2 * std::log(3.0f)}), v({2, 1}, {0, 4});
  const uint32_t page_table[] = {0}, positions[] = {1};
  const Host kv = kv_of(k, v, page_table, 1);
  // Half of 2 ln 3 is ln 3: weights 1/4, 3/4.
  EXPECT_FLOAT_EQ(
      attention(Host({1, 3}, {1, 0, 0}), positions, page_table, kv, 1, 1, 1, {.scale = 0.5f})
          .values[0],
      3);
  EXPECT_FLOAT_EQ(
      attention(Host({1, 3}, {1e6f, 0, 0}), positions, page_table, kv, 1, 1, 1, {}).values[0], 4);
}

TEST(Attention, FollowsThePageTable) {
  // All keys equal: the mean of the values 0..20, which lie in pages 1 and 3.
  const uint32_t n = 21, page_table[] = {3, 1}, positions[] = {20, 16};
  Host k({n, 1}), v({n, 1});
  for (uint32_t p = 0; p < n; ++p) v.values[p] = static_cast<float>(p);
  const Host kv = kv_of(k, v, page_table, 4);
  const Host y = attention(Host({2, 3}), positions, page_table, kv, 1, 1, 1, {});
  EXPECT_FLOAT_EQ(y.values[0], 10);
  EXPECT_FLOAT_EQ(y.values[1], 8);
}

TEST(Attention, AWindowHidesAllButTheLastKeys) {
  // All keys equal: the mean of the values that are seen. V is the position itself.
  const uint32_t n = 21, page_table[] = {3, 1}, positions[] = {20, 16, 2, 0};
  Host k({n, 1}), v({n, 1});
  for (uint32_t p = 0; p < n; ++p) v.values[p] = static_cast<float>(p);
  const Host kv = kv_of(k, v, page_table, 4);
  const auto means = [&](uint32_t window) {
    return attention(Host({4, 3}), positions, page_table, kv, 1, 1, 1, {.window = window}).values;
  };
  EXPECT_EQ(means(1), (std::vector<float>{20, 16, 2, 0}));             // each row sees itself alone
  EXPECT_EQ(means(3), (std::vector<float>{19, 15, 1, 0}));             // {18, 19, 20}, ..., {0}
  EXPECT_EQ(means(17), (std::vector<float>{12, 8, 1, 0}));             // {4..20}, {0..16}
  EXPECT_EQ(means(21), (std::vector<float>{10, 8, 1, 0}));             // exactly all
  EXPECT_EQ(means(4'000'000'000), (std::vector<float>{10, 8, 1, 0}));  // beyond the context
  EXPECT_EQ(means(0), means(21));
}

TEST(Attention, ScoresOutsideTheWindowDoNotCount) {
  // The first key would win by far.
  const Host k({3, 1}, {1000, 0, std::log(3.0f)}), v({3, 1}, {7, 0, 4});
  const uint32_t page_table[] = {0}, positions[] = {2};
  const Host kv = kv_of(k, v, page_table, 1);
  EXPECT_FLOAT_EQ(
      attention(Host({1, 3}, {1, 0, 0}), positions, page_table, kv, 1, 1, 1, {.window = 2})
          .values[0],
      3);
}

TEST(Attention, TheCapBendsTheScaledScores) {
  // Scaled scores 0 and (ln 3)^2. With cap 2 ln 3 the second becomes 2 ln 3 tanh(ln(3) / 2), which
  // is ln 3, because tanh(ln(3) / 2) = (3 - 1) / (3 + 1): weights 1/4, 3/4.
  const float ln3 = std::log(3.0f);
  const Host k({2, 1}, {0, 2 * ln3 * ln3}), v({2, 1}, {0, 4});
  const uint32_t page_table[] = {0}, positions[] = {1};
  const Host kv = kv_of(k, v, page_table, 1), qkv({1, 3}, {1, 0, 0});
  const Scores scores{.scale = 0.5f, .softcap = 2 * ln3};
  EXPECT_FLOAT_EQ(attention(qkv, positions, page_table, kv, 1, 1, 1, scores).values[0], 3);
}

TEST(Attention, QueryHeadsShareTheirKvHead) {
  // Six query heads over two KV heads; with one key each head answers with its V.
  const uint32_t n_heads = 6, n_kv_heads = 2, head_dim = 1;
  const uint32_t page_table[] = {0}, positions[] = {0};
  const Host qkv({1, 10}, {1, 2, 3, 4, 5, 6, 0, 0, 100, 200});
  Host kv = make_kv(1, n_kv_heads, head_dim);
  kv_append(qkv, positions, page_table, kv);
  const Host y = attention(qkv, positions, page_table, kv, n_heads, n_kv_heads, head_dim, {});
  EXPECT_EQ(y.values, (std::vector<float>{100, 100, 100, 200, 200, 200}));
}

}  // namespace
}  // namespace handloom::reference
