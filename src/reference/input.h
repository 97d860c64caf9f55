// What lies between two dispatches of the fused plan: a vector as the next matrix reads it, in the
// words that kernels/lib/store_input.wgsl describes.
#pragma once

#include "reference/host.h"

#include <array>
#include <span>

namespace handloom::reference {

/// The numbers are those of kernels/lib/store_input.wgsl.
enum class InputFormat : uint32_t {
  f32 = 0,
  int8_for_nibbles = 1,
  int8_for_bytes = 2,
  f16_for_nibbles = 3,
  f16_in_order = 4
};

/// Eight neighbouring values in 8 bits: value i is codes[i] * scale.
struct InputBlock {
  static constexpr uint32_t kValues = 8;

  std::array<int, kValues> codes{};
  float scale = 0;  // the largest size of the eight / 127
  float sum = 0;    // scale * the sum of the codes
};

/// Codes go to the nearest, ties to even.
///
///   values  [8]
InputBlock input_block(std::span<const float> values);

/// Eight neighbouring values in 16 bits: value i is the f16 halves[i] * scale.
struct HalfBlock {
  std::array<uint16_t, InputBlock::kValues> halves{};
  float scale = 0;  // the largest size of the eight
};

/// Halves to the nearest, ties to even.
///
///   values  [8]
HalfBlock half_block(std::span<const float> values);

/// Words of `dim` values, a multiple of four; the sums of squares behind them are not counted.
size_t input_words(uint32_t dim, InputFormat format);

/// The words of `values`.
///
///   values  [dim], dim % 8 == 0, in 8 bits % 32 == 0
std::vector<uint32_t> store_input(std::span<const float> values, InputFormat format);

/// Block number `block` of words in 8 bits.
InputBlock stored_block(std::span<const uint32_t> words, uint32_t dim, InputFormat format,
                        uint32_t block);

/// The values that a matrix reads from words: the inverse of store_input, but for its rounding.
///
///   returns  [1, dim]
Host read_input(std::span<const uint32_t> words, uint32_t dim, InputFormat format);

/// What RMSNorm multiplies an input of `dim` values by: 1 / sqrt(mean of squares + eps), of sums
/// that together are those of all values; 1 if there are none.
double input_scale(std::span<const float> sums_of_squares, uint32_t dim, float eps);

}  // namespace handloom::reference
