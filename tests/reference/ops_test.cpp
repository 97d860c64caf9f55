// The element-wise and matrix operations against values worked out by hand.
#include "reference/add.h"
#include "reference/add_bias.h"
#include "reference/embed.h"
#include "reference/geglu.h"
#include "reference/matmul.h"
#include "reference/qk_norm.h"
#include "reference/rms_norm.h"
#include "reference/round.h"
#include "reference/softcap.h"
#include "reference/swiglu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace handloom::reference {
namespace {

TEST(Host, ARowIsARunAlongTheLastDimension) {
  Host x({2, 3, 4});
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] = static_cast<float>(i);
  EXPECT_EQ(x.n_rows(), 6u);
  EXPECT_EQ(x.row_dim(), 4u);
  EXPECT_EQ(x.row(4)[1], 17.0f);
  x.row(5)[3] = -1;
  EXPECT_EQ(x.values.back(), -1.0f);
  EXPECT_EQ(Host().values.size(), 0u);
}

TEST(Embed, TakesOneRowPerId) {
  const Host table({3, 2}, {0, 1, 10, 11, 20, 21});
  const uint32_t ids[] = {2, 0, 2};
  const Host y = embed(ids, table);
  EXPECT_EQ(y.shape, Shape({3, 2}));
  EXPECT_EQ(y.values, (std::vector<float>{20, 21, 0, 1, 20, 21}));
}

TEST(Embed, ScalesTheRows) {
  const uint32_t ids[] = {1};
  const Host table({2, 3}, {9, 9, 9, 1, -0.0f, 2});
  EXPECT_EQ(embed(ids, table, 1.5f).values, (std::vector<float>{1.5f, 0, 3}));
  EXPECT_TRUE(std::signbit(embed(ids, table).values[1]));  // unscaled: bit for bit
}

TEST(RmsNorm, DividesByTheRootMeanSquareOfEachRow) {
  // Mean squares (1 + 1 + 1 + 1) / 4 = 1 and (36 + 64) / 4 = 25.
  const Host x({2, 4}, {1, -1, 1, -1, 6, 0, 0, 8}), weight({4}, {1, 2, 3, 0.5f});
  const Host y = rms_norm(x, weight, 0);
  EXPECT_EQ(y.shape, x.shape);
  const std::vector<float> want = {1, -2, 3, -0.5f, 1.2f, 0, 0, 0.8f};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(y.values[i], want[i]) << i;
}

TEST(RmsNorm, EpsIsAddedToTheMeanUnderTheRoot) {
  // Mean square 9; with eps 16 the divisor is 5. A row of zeros stays zeros instead of NaN.
  const Host y = rms_norm(Host({2, 2}, {3, -3, 0, 0}), Host({2}, {1, 10}), 16);
  EXPECT_FLOAT_EQ(y.values[0], 0.6f);
  EXPECT_FLOAT_EQ(y.values[1], -6.0f);
  EXPECT_EQ(y.values[2], 0.0f);
  EXPECT_EQ(y.values[3], 0.0f);
}

TEST(Matmul, RowsOfXMeetRowsOfW) {
  const Host x({2, 3}, {1, 2, 3, -1, 0, 1});
  const Host w({4, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1});
  const Host y = matmul(x, w);
  EXPECT_EQ(y.shape, Shape({2, 4}));
  EXPECT_EQ(y.values, (std::vector<float>{1, 2, 3, 6, -1, 0, 1, 0}));
}

TEST(Matmul, SumsBeyondThePrecisionOfF32) {
  // In f32, 2^24 + 1 is 2^24, so the ones would be lost.
  const Host x({1, 4}, {0x1p24f, 1, 1, -0x1p24f}), w({1, 4}, {1, 1, 1, 1});
  EXPECT_EQ(matmul(x, w).values[0], 2.0f);
}

TEST(Swiglu, GatesTheSecondHalfByTheFirst) {
  // sigmoid(ln 3) = 3/4 and sigmoid(-ln 3) = 1/4.
  const float ln3 = std::log(3.0f);
  const Host y = swiglu(Host({2, 4}, {ln3, 0, 4, 100, -ln3, 50, 8, 2}));
  EXPECT_EQ(y.shape, Shape({2, 2}));
  EXPECT_FLOAT_EQ(y.values[0], 3 * ln3);
  EXPECT_EQ(y.values[1], 0.0f);
  EXPECT_FLOAT_EQ(y.values[2], -2 * ln3);
  EXPECT_FLOAT_EQ(y.values[3], 100.0f);
}

TEST(Swiglu, AVeryNegativeGateClosesWithoutNan) {
  const Host y = swiglu(Host({1, 2}, {-2000, 3}));
  EXPECT_EQ(y.values[0], 0.0f);
}

TEST(Geglu, GatesTheSecondHalfByTheFirst) {
  // Values of the tanh form to ten digits: gelu(1) = 0.8411919906, gelu(-1) = gelu(1) - 1, gelu(2)
  // = 1.9545976941, gelu(0) = 0; the exact form with erf has 0.8413447461 and 1.9544997361.
  const Host y = geglu(Host({2, 4}, {1, 0, 3, 100, -1, 2, 2, 10}));
  EXPECT_EQ(y.shape, Shape({2, 2}));
  EXPECT_FLOAT_EQ(y.values[0], 3 * 0.8411919906f);
  EXPECT_EQ(y.values[1], 0.0f);
  EXPECT_FLOAT_EQ(y.values[2], -2 * 0.1588080094f);
  EXPECT_FLOAT_EQ(y.values[3], 19.545976940f);
}

TEST(Geglu, FarGatesCloseOrOpenWithoutNan) {
  const Host y = geglu(Host({1, 4}, {-2000, 2000, 3, 3}));
  EXPECT_EQ(y.values, (std::vector<float>{0, 6000}));
}

TEST(Softcap, BendsTowardsTheCap) {
  // tanh(ln 3) = (9 - 1) / (9 + 1) = 4/5.
  const float ln3 = std::log(3.0f);
  Host y({2, 2}, {10 * ln3, -10 * ln3, 0, 1e30f});
  softcap(y, 10);
  EXPECT_FLOAT_EQ(y.values[0], 8);
  EXPECT_FLOAT_EQ(y.values[1], -8);
  EXPECT_EQ(y.values[2], 0);
  EXPECT_EQ(y.values[3], 10);
}

TEST(QkNorm, NormalisesQueryAndKeyHeadsAndLeavesValues) {
  // Two query heads, one key head, one value head of two dimensions. Mean squares 25, 1, 4.
  Host qkv({1, 8}, {1, 7, -1, 1, 2, -2, 5, 6});
  qk_norm(qkv, Host({2}, {1, 2}), Host({2}, {3, 4}), 2, 1, 2, 0);
  const std::vector<float> want = {0.2f, 2.8f, -1, 2, 3, -4, 5, 6};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(qkv.values[i], want[i]) << i;
}

TEST(QkNorm, EpsIsAddedToTheMeanUnderTheRoot) {
  // Mean square 9, eps 16: the divisor is 5. A head of zeros stays zeros.
  Host qkv({2, 6}, {3, -3, 0, 0, 1, 1, 0, 0, 3, 3, 1, 1});
  qk_norm(qkv, Host({2}, {1, 10}), Host({2}, {2, 20}), 1, 1, 2, 16);
  const std::vector<float> want = {0.6f, -6, 0, 0, 1, 1, 0, 0, 1.2f, 12, 1, 1};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(qkv.values[i], want[i]) << i;
}

TEST(AddBias, AddsToEveryRow) {
  Host y({2, 3}, {1, 2, 3, 4, 5, 6});
  add_bias(y, Host({3}, {10, -2, 0.5f}));
  EXPECT_EQ(y.values, (std::vector<float>{11, 0, 3.5f, 14, 3, 6.5f}));
}

TEST(Add, AddsInPlace) {
  Host x({1, 3}, {1, 2, 3});
  add(x, Host({1, 3}, {10, -2, 0.5f}));
  EXPECT_EQ(x.values, (std::vector<float>{11, 0, 3.5f}));
}

TEST(Round, NarrowsToTheNearestStorableValue) {
  // Spacing above 1: 2^-10 in f16, 2^-7 in bf16. Ties go to the even neighbour.
  const float ulp16 = 0x1p-10f, ulpb16 = 0x1p-7f, infinity = std::numeric_limits<float>::infinity();
  Host x({1, 5}, {1 + 0.4f * ulp16, 1 + 0.6f * ulp16, 1 + 0.5f * ulp16, -1 - 1.5f * ulp16, 1e6f});
  round_to_f16(x);
  EXPECT_EQ(x.values, (std::vector<float>{1, 1 + ulp16, 1, -1 - 2 * ulp16, infinity}));

  Host b({1, 3}, {1 + 0.6f * ulpb16, 1 + 0.5f * ulpb16, 1e6f});
  round_to_bf16(b);
  EXPECT_EQ(b.values, (std::vector<float>{1 + ulpb16, 1, 999424}));

  Host same({1, 1}, {0.1f});
  round_to(same.values, DType::f32);
  EXPECT_EQ(same.values[0], 0.1f);
}

}  // namespace
}  // namespace handloom::reference
