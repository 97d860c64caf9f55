// The words between dispatches of the fused plan, against values worked out by hand.
#include "reference/input.h"

#include <gtest/gtest.h>

#include <bit>

namespace handloom::reference {
namespace {

TEST(Input, EightValuesShareAScale) {
  const InputBlock block = input_block(std::vector<float>{0, 1, -2, 127, 0.5f, 1.5f, -127, 2.4f});
  EXPECT_EQ(block.codes, (std::array<int, 8>{0, 1, -2, 127, 0, 2, -127, 2}));  // ties to even
  EXPECT_EQ(block.scale, 1.0f);
  EXPECT_EQ(block.sum, 3.0f);
}

TEST(Input, ZerosHaveNoScale) {
  const InputBlock block = input_block(std::vector<float>(8));
  EXPECT_EQ(block.codes, (std::array<int, 8>{}));
  EXPECT_EQ(block.scale, 0.0f);
}

/// 64 values, of which each block of eight holds 127 and its own number.
std::vector<float> numbered() {
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = i % 8 == 0 ? 127 : static_cast<float>(8 * (i / 8) + i % 8);
  }
  return values;
}

TEST(Input, OfF32LiesInItsOrder) {
  const std::vector<uint32_t> words = store_input(numbered(), InputFormat::f32);
  ASSERT_EQ(words.size(), 64u);
  EXPECT_EQ(std::bit_cast<float>(words[9]), 9.0f);
}

TEST(Input, For4BitCodesLiesEvenThenOdd) {
  const std::vector<uint32_t> words = store_input(numbered(), InputFormat::int8_for_nibbles);
  ASSERT_EQ(words.size(), 32u);
  EXPECT_EQ(words[0], 0x0604027fu);  // block 0
  EXPECT_EQ(words[1], 0x07050301u);
  EXPECT_EQ(words[2], 0x0e0c0a7fu);   // block 1
  EXPECT_EQ(words[4], 0x2624227fu);   // block 4: the next chunk
  EXPECT_EQ(words[8], 0x1614127fu);   // block 2: behind the first halves of all chunks
  EXPECT_EQ(words[14], 0x3e3c3a7fu);  // block 7
  EXPECT_EQ(std::bit_cast<float>(words[16]), 1.0f);
  EXPECT_EQ(std::bit_cast<float>(words[24]), 127.0f + 28);
  EXPECT_EQ(std::bit_cast<float>(words[31]), 127.0f + 7 * 56 + 28);
}

TEST(Input, ForCodesOfAByteLiesInItsOrder) {
  const std::vector<uint32_t> words = store_input(numbered(), InputFormat::int8_for_bytes);
  EXPECT_EQ(words[0], 0x0302017fu);
  EXPECT_EQ(words[1], 0x07060504u);
  EXPECT_EQ(words[10], 0x1b1a197fu);  // block 3
}

TEST(Input, IsReadAsItWasStored) {
  for (const InputFormat format :
       {InputFormat::f32, InputFormat::int8_for_nibbles, InputFormat::int8_for_bytes}) {
    EXPECT_EQ(read_input(store_input(numbered(), format), 64, format).values, numbered());
  }
}

TEST(Input, HalvesLieInPairsOrInTheirOrder) {
  // Then a scale, and words up to a multiple of four.
  const std::vector<float> values = {8, 4, -2, 1, 0.5f, -8, 2, 6};
  const std::vector<uint32_t> in_order = store_input(values, InputFormat::f16_in_order);
  EXPECT_EQ(in_order, (std::vector<uint32_t>{0x38003c00, 0x3000b400, 0xbc002c00, 0x3a003400,
                                             std::bit_cast<uint32_t>(8.0f), 0, 0, 0}));
  const std::vector<uint32_t> in_pairs = store_input(values, InputFormat::f16_for_nibbles);
  EXPECT_EQ(in_pairs, (std::vector<uint32_t>{0x2c003c00, 0xbc003800, 0x3400b400, 0x3a003000,
                                             std::bit_cast<uint32_t>(8.0f), 0, 0, 0}));
  for (const InputFormat format : {InputFormat::f16_in_order, InputFormat::f16_for_nibbles}) {
    EXPECT_EQ(read_input(store_input(values, format), 8, format).values, values);
  }
}

TEST(Input, ANormsScaleComesFromAllSums) {
  EXPECT_EQ(input_scale({}, 8, 1.0f), 1.0);
  EXPECT_EQ(input_scale(std::vector<float>{8, 16}, 8, 1.0f), 0.5);
}

}  // namespace
}  // namespace handloom::reference
