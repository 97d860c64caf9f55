#include "reference/input.h"

#include "base/half.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace handloom::reference {
namespace {

constexpr uint32_t kBlock = InputBlock::kValues;
constexpr uint32_t kChunk = 32;  // values whose words lie together

/// Where the four codes of a word lie among the eight of their block.
std::array<uint32_t, 4> places(InputFormat format, uint32_t word) {
  if (format == InputFormat::int8_for_bytes)
    return {4 * word, 4 * word + 1, 4 * word + 2, 4 * word + 3};
  return {word, word + 2, word + 4, word + 6};  // the even ones, then the odd ones
}

bool is_f16(InputFormat format) {
  return format == InputFormat::f16_for_nibbles || format == InputFormat::f16_in_order;
}

/// Which of a block's eight values half number `i` of its words is.
uint32_t half_place(InputFormat format, uint32_t i) {
  return format == InputFormat::f16_in_order ? i : i / 2 + i % 2 * 4;  // pairs of i and i + 4
}

std::vector<uint32_t> store_halves(std::span<const float> values, InputFormat format) {
  const auto dim = static_cast<uint32_t>(values.size());
  std::vector<uint32_t> words(input_words(dim, format));
  for (uint32_t b = 0; b < dim / kBlock; ++b) {
    const HalfBlock block = half_block(values.subspan(size_t{b} * kBlock, kBlock));
    for (uint32_t i = 0; i < kBlock; ++i) {
      words[4 * b + i / 2] |= uint32_t{block.halves[half_place(format, i)]} << (16 * (i % 2));
    }
    words[dim / 2 + b] = std::bit_cast<uint32_t>(block.scale);
  }
  return words;
}

/// Where a block lies in the words of an input: of each chunk the first two blocks, of each chunk
/// the last two, then scales, then sums.
struct BlockWords {
  size_t codes, scale, sum;

  BlockWords(uint32_t dim, uint32_t block) {
    const size_t n_chunks = dim / kChunk, chunk = block / 4, place = block % 4;
    codes = 4 * (place / 2 * n_chunks + chunk) + 2 * (place % 2);
    scale = 4 * (2 * n_chunks + chunk) + place;
    sum = 4 * (3 * n_chunks + chunk) + place;
  }
};

}  // namespace

InputBlock input_block(std::span<const float> values) {
  assert(values.size() == kBlock);
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));

  InputBlock block{.scale = largest * (1.0f / 127)};
  const float inverse = largest > 0x1p-120f ? 127 / largest : 0;
  for (uint32_t i = 0; i < kBlock; ++i) {
    block.codes[i] = static_cast<int>(std::nearbyint(values[i] * inverse));
  }
  const int total = std::accumulate(block.codes.begin(), block.codes.end(), 0);
  block.sum = block.scale * static_cast<float>(total);
  return block;
}

HalfBlock half_block(std::span<const float> values) {
  assert(values.size() == kBlock);
  HalfBlock block;
  for (const float value : values) block.scale = std::max(block.scale, std::abs(value));
  const float inverse = block.scale > 0x1p-120f ? 1 / block.scale : 0;
  for (uint32_t i = 0; i < kBlock; ++i) block.halves[i] = f32_to_f16(values[i] * inverse);
  return block;
}

size_t input_words(uint32_t dim, InputFormat format) {
  if (format == InputFormat::f32) return dim;
  return is_f16(format) ? (dim / kBlock * 5 + 3) / 4 * 4 : dim / 2;
}

std::vector<uint32_t> store_input(std::span<const float> values, InputFormat format) {
  const auto dim = static_cast<uint32_t>(values.size());
  assert(dim % (format == InputFormat::f32 || is_f16(format) ? kBlock : kChunk) == 0);
  if (is_f16(format)) return store_halves(values, format);

  std::vector<uint32_t> words(input_words(dim, format));
  if (format == InputFormat::f32) {
    std::ranges::transform(values, words.begin(), std::bit_cast<uint32_t, float>);
    return words;
  }
  for (uint32_t b = 0; b < dim / kBlock; ++b) {
    const InputBlock block = input_block(values.subspan(size_t{b} * kBlock, kBlock));
    const BlockWords at(dim, b);
    for (uint32_t word = 0; word < 2; ++word) {
      for (uint32_t i = 0; i < 4; ++i) {
        const int code = block.codes[places(format, word)[i]];
        words[at.codes + word] |= (static_cast<uint32_t>(code) & 0xff) << (8 * i);
      }
    }
    words[at.scale] = std::bit_cast<uint32_t>(block.scale);
    words[at.sum] = std::bit_cast<uint32_t>(block.sum);
  }
  return words;
}

InputBlock stored_block(std::span<const uint32_t> words, uint32_t dim, InputFormat format,
                        uint32_t block) {
  assert(format != InputFormat::f32 && words.size() >= input_words(dim, format));
  const BlockWords at(dim, block);
  InputBlock found{.scale = std::bit_cast<float>(words[at.scale]),
                   .sum = std::bit_cast<float>(words[at.sum])};
  for (uint32_t word = 0; word < 2; ++word) {
    for (uint32_t i = 0; i < 4; ++i) {
      found.codes[places(format, word)[i]] = static_cast<int8_t>(words[at.codes + word] >> (8 * i));
    }
  }
  return found;
}

Host read_input(std::span<const uint32_t> words, uint32_t dim, InputFormat format) {
  Host values({1, dim});
  if (format == InputFormat::f32) {
    std::ranges::transform(words.first(dim), values.values.begin(), std::bit_cast<float, uint32_t>);
    return values;
  }
  if (is_f16(format)) {
    for (uint32_t b = 0; b < dim / kBlock; ++b) {
      for (uint32_t i = 0; i < kBlock; ++i) {
        const uint32_t half = words[4 * b + i / 2] >> (16 * (i % 2)) & 0xffff;
        values.values[size_t{b} * kBlock + half_place(format, i)] =
            f16_to_f32(static_cast<uint16_t>(half)) * std::bit_cast<float>(words[dim / 2 + b]);
      }
    }
    return values;
  }
  for (uint32_t b = 0; b < dim / kBlock; ++b) {
    const InputBlock block = stored_block(words, dim, format, b);
    for (uint32_t i = 0; i < kBlock; ++i) {
      values.values[size_t{b} * kBlock + i] = static_cast<float>(block.codes[i]) * block.scale;
    }
  }
  return values;
}

double input_scale(std::span<const float> sums_of_squares, uint32_t dim, float eps) {
  if (sums_of_squares.empty()) return 1;
  const double sum = std::accumulate(sums_of_squares.begin(), sums_of_squares.end(), 0.0);
  return 1 / std::sqrt(sum / dim + eps);
}

}  // namespace handloom::reference
