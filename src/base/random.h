// Counter-based random numbers: the same four words give the same bits on the host and in
// kernels/lib/random.wgsl, with no state to carry. The mixer is pcg4d of Jarzynski and Olano,
// "Hash Functions for GPU Rendering" (JCGT 9(3), 2020).
#pragma once

#include <cmath>
#include <cstdint>

namespace handloom {

/// 32 random bits for draw `index` of step `position` under `seed`.
inline uint32_t random_bits(uint64_t seed, uint32_t position, uint32_t index) {
  uint32_t x = static_cast<uint32_t>(seed), y = static_cast<uint32_t>(seed >> 32);
  uint32_t z = position, w = index;
  x = x * 1664525u + 1013904223u;
  y = y * 1664525u + 1013904223u;
  z = z * 1664525u + 1013904223u;
  w = w * 1664525u + 1013904223u;
  x += y * w;
  y += z * x;
  z += x * y;
  w += y * z;
  x ^= x >> 16;
  y ^= y >> 16;
  z ^= z >> 16;
  w ^= w >> 16;
  return x + y * w;
}

/// A float strictly between 0 and 1, in steps of 2^-23.
inline float random_uniform(uint64_t seed, uint32_t position, uint32_t index) {
  return (static_cast<float>(random_bits(seed, position, index) >> 9) + 0.5f) * 0x1p-23f;
}

/// Gumbel noise, -log(-log(u)): the largest sum of a logit and its noise is a draw from the
/// softmax. kernels/lib/random.wgsl has the same but for the rounding of logarithms, some units of
/// 2^-22.
inline float gumbel_noise(uint64_t seed, uint32_t position, uint32_t index) {
  return -std::log(-std::log(random_uniform(seed, position, index)));
}

}  // namespace handloom
