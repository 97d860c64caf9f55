// One block of each type that quantise.h writes. Values are finite, and none is beyond what the
// type can hold (quantise.cpp has looked).
#pragma once

#include <cstdint>

namespace handloom::formats {

/// The least code that rounding may give is `low`, the greatest `high`; x is in units of the scale.
/// |x| < 2^22 after the limits: adding 1.5 * 2^23 leaves the nearest integer in the low bits.
inline int nearest_code(float x, float low, float high) {
  const float limited = x < low ? low : x > high ? high : x;
  return static_cast<int>((limited + 0x1.8p23f) - 0x1.8p23f);
}

/// The f16 nearest to value / n, or the next larger one where n + 1/2 steps of the nearest would
/// not reach `value`: that happens where f16 is coarse, below 2^-14. value >= 0.
uint16_t f16_step(float value, float n);

void quantise_q8_0(const float* x, uint8_t* block);
void quantise_q4_0(const float* x, uint8_t* block);
void quantise_q4_1(const float* x, uint8_t* block);
void quantise_q4_k(const float* x, uint8_t* block);
void quantise_q6_k(const float* x, uint8_t* block);

}  // namespace handloom::formats
