// Inputs by formula, and host values as the bytes of a GPU tensor and back.
#pragma once

#include "base/half.h"
#include "reference/host.h"
#include "reference/round.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace handloom::checks {

using reference::Host;

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Values in [-1, 1) without a repeat: the fractional parts of multiples of the golden ratio, begun
/// at a place that depends on `salt`.
inline Host ramp(Shape shape, uint32_t salt = 0) {
  Host host(shape);
  for (size_t i = 0; i < host.values.size(); ++i) {
    const double turns = (static_cast<double>(i) + 1) * 0.6180339887498949 + salt * 0.7548776662;
    host.values[i] = static_cast<float>(2 * (turns - std::floor(turns)) - 1);
  }
  return host;
}

/// A ramp of the values that `dtype` can hold.
inline Host ramp_in(Shape shape, DType dtype, uint32_t salt = 0) {
  Host host = ramp(shape, salt);
  reference::round_to(host.values, dtype);
  return host;
}

/// |x|, element by element: run through the reference, it gives the sum of the terms' sizes.
inline Host magnitudes(Host host) {
  for (float& value : host.values) value = std::abs(value);
  return host;
}

/// f32, f16 or bf16 values as words of a tensor; an odd count of halves ends with a zero half.
inline std::vector<uint32_t> to_words(std::span<const float> values, DType dtype) {
  if (dtype == DType::f32) {
    std::vector<uint32_t> words(values.size());
    std::memcpy(words.data(), values.data(), values.size_bytes());
    return words;
  }
  std::vector<uint32_t> words((values.size() + 1) / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t half = dtype == DType::f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
    words[i / 2] |= half << (i % 2 * 16);
  }
  return words;
}

/// The inverse of to_words.
inline Host from_words(std::span<const uint32_t> words, Shape shape, DType dtype) {
  Host host(shape);
  if (dtype == DType::f32) {
    std::memcpy(host.values.data(), words.data(), 4 * host.values.size());
    return host;
  }
  for (size_t i = 0; i < host.values.size(); ++i) {
    const uint16_t half = static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16));
    host.values[i] = dtype == DType::f16 ? f16_to_f32(half) : bf16_to_f32(half);
  }
  return host;
}

/// Whole numbers, such as ids, as values to be compared: f32 holds those below 2^24.
inline Host from_integers(std::span<const uint32_t> words) {
  Host host({static_cast<uint32_t>(words.size())});
  for (size_t i = 0; i < words.size(); ++i) host.values[i] = static_cast<float>(words[i]);
  return host;
}

}  // namespace handloom::checks
