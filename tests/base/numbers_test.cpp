// half, bfloat16 and the counter-based random numbers.
#include "base/half.h"
#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace handloom {
namespace {

TEST(Half, EveryValueSurvivesTheWayThereAndBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      ASSERT_EQ(f32_to_f16(value), half);
    }
    const float wide = bf16_to_f32(half);
    if (!std::isnan(wide)) {
      ASSERT_EQ(f32_to_bf16(wide), half);
    }
  }
}

TEST(Half, TiesGoToTheEvenNeighbour) {
  // Between two neighbours, exactly half way: the one with an even last bit.
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const double low = f16_to_f32(static_cast<uint16_t>(bits));
    const double high = f16_to_f32(static_cast<uint16_t>(bits + 1));
    const auto middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(f32_to_f16(middle), bits % 2 == 0 ? bits : bits + 1);
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), bits + 1);
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, -1.0f)), bits);
  }
}

TEST(Half, TheEdges) {
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0);
  EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Random, IsAFunctionOfItsFourWordsAlone) {
  EXPECT_EQ(random_bits(1, 2, 3), random_bits(1, 2, 3));
  std::set<uint32_t> seen;
  for (uint32_t i = 0; i < 1000; ++i) {
    seen.insert(random_bits(0, 0, i));
    seen.insert(random_bits(0, i + 1, 0));
    seen.insert(random_bits(uint64_t{i + 1} << 32, 0, 0));
  }
  EXPECT_GE(seen.size(), 2999u);  // 3000 draws of 2^32: a collision has one chance in a thousand
}

TEST(Random, UniformIsBetweenAndSpreads) {
  double sum = 0;
  for (uint32_t i = 0; i < 100000; ++i) {
    const float u = random_uniform(42, 7, i);
    ASSERT_GT(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    sum += u;
  }
  // The mean of n uniforms has a deviation of 1 / sqrt(12 n); five of these.
  EXPECT_NEAR(sum / 100000, 0.5, 5 / std::sqrt(12.0 * 100000));
}

}  // namespace
}  // namespace handloom
