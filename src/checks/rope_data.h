// Tables of angles, and what bounds the error of a rotation.
#pragma once

#include "checks/kv_pages.h"

#include <cmath>
#include <vector>

namespace handloom::checks {

/// The usual frequencies, [rope_dim / 2].
inline std::vector<float> make_inv_freq(uint32_t rope_dim) {
  std::vector<float> inv_freq(rope_dim / 2);
  for (size_t i = 0; i < inv_freq.size(); ++i) {
    inv_freq[i] = static_cast<float>(std::pow(10000.0, -2.0 * static_cast<double>(i) / rope_dim));
  }
  return inv_freq;
}

/// Their table for the positions before `max_positions`.
inline Host make_cos_sin(const std::vector<float>& inv_freq, uint32_t max_positions) {
  Host table({max_positions, static_cast<uint32_t>(inv_freq.size()), 2});
  for (uint32_t p = 0; p < max_positions; ++p) {
    for (size_t i = 0; i < inv_freq.size(); ++i) {
      const double angle = static_cast<float>(p) * inv_freq[i];
      table.values[2 * (p * inv_freq.size() + i)] = static_cast<float>(std::cos(angle));
      table.values[2 * (p * inv_freq.size() + i) + 1] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

/// The length of the pair that each rotated value belongs to; 0 for what must stay as it is.
inline Host pair_lengths(const Host& qkv, const ops::Heads& heads, uint32_t half_dim) {
  Host lengths(qkv.shape);
  for (size_t r = 0; r < qkv.n_rows(); ++r) {
    for (uint32_t h = 0; h < heads.n_heads + heads.n_kv_heads; ++h) {
      for (uint32_t i = 0; i < half_dim; ++i) {
        const size_t first = size_t{h} * heads.head_dim + i;
        const float length = std::hypot(qkv.row(r)[first], qkv.row(r)[first + half_dim]);
        lengths.row(r)[first] = lengths.row(r)[first + half_dim] = length;
      }
    }
  }
  return lengths;
}

/// Roundings of a rotation, relative to the length of the pair: |a cos| + |b sin| <= that length *
/// sqrt(2), each with the roundings of the table and of the product, then one sum, and the
/// reference.
inline constexpr double kRotation = 1.5 * 3 + 1;

}  // namespace handloom::checks
