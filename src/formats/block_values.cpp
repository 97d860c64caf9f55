#include "formats/block_values.h"

#include "base/half.h"

#include <cmath>

namespace handloom::formats {
namespace {

using Byte = uint8_t;

float f16_at(const Byte* from) { return f16_to_f32(static_cast<uint16_t>(from[0] | from[1] << 8)); }

float as_float(int value) { return static_cast<float>(value); }
float as_float(uint32_t value) { return static_cast<float>(value); }

/// Bit i of a row of bits, the first lowest.
int bit(const Byte* bits, uint32_t i) { return bits[i / 8] >> (i % 8) & 1; }

// Blocks of 32 keep value j in the low half of byte j and value j + 16 in the high half.
int nibble(const Byte* q, uint32_t i) { return q[i % 16] >> (4 * (i / 16)) & 15; }

// K types go through their bytes 32 values at a time: value 32 j + l is in part j of byte l.
int k_nibble(const Byte* q, uint32_t i) { return q[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15; }
int k_pair(const Byte* q, uint32_t i) { return q[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3; }
int k_bit(const Byte* q, uint32_t i) { return q[i % 32] >> (i / 32) & 1; }

float q4_0(const Byte* b, uint32_t i) { return f16_at(b) * as_float(nibble(b + 2, i) - 8); }

float q4_1(const Byte* b, uint32_t i) {
  const float product = f16_at(b) * as_float(nibble(b + 4, i));
  return product + f16_at(b + 2);
}

float q5_0(const Byte* b, uint32_t i) {
  const int q = nibble(b + 6, i) | bit(b + 2, i) << 4;
  return f16_at(b) * as_float(q - 16);
}

float q5_1(const Byte* b, uint32_t i) {
  const int q = nibble(b + 8, i) | bit(b + 4, i) << 4;
  const float product = f16_at(b) * as_float(q);
  return product + f16_at(b + 2);
}

float q8_0(const Byte* b, uint32_t i) {
  return f16_at(b) * as_float(int{static_cast<int8_t>(b[2 + i])});
}

float iq4_nl(const Byte* b, uint32_t i) {
  return f16_at(b) * as_float(int{kIq4Levels[nibble(b + 2, i)]});
}

// The scale is 2^(e - 127), halved for the doubled levels. It may be subnormal; the product is
// still exact, or infinite from e = 253 on where the code is large, as in GGML.
float mxfp4(const Byte* b, uint32_t i) {
  return std::ldexp(as_float(int{kE2m1Doubled[nibble(b + 1, i)]}), int{b[0]} - 128);
}

// 16 bytes of scale (low half) and minimum (high half), 64 of codes, d, dmin.
float q2_k(const Byte* b, uint32_t i) {
  const uint32_t scale = b[i / 16] & 15u, minimum = b[i / 16] >> 4u;
  const float product = f16_at(b + 80) * as_float(scale) * as_float(k_pair(b + 16, i));
  return product - f16_at(b + 82) * as_float(minimum);
}

// 32 bytes of upper bits, 64 of codes, 12 of scales, d. A code without its upper bit is negative.
// Scale j has its low 4 bits in half j / 8 of byte j % 8, its high 2 in part j / 4 of byte 8 + j
// % 4.
float q3_k(const Byte* b, uint32_t i) {
  const Byte* packed = b + 96;
  const uint32_t j = i / 16;
  const int low = packed[j % 8] >> (j / 8 * 4) & 15, high = packed[8 + j % 4] >> (j / 4 * 2) & 3;
  const int q = (k_pair(b + 32, i) | k_bit(b, i) << 2) - 4;
  return f16_at(b + 108) * as_float((low | high << 4) - 32) * as_float(q);
}

// d, dmin, 12 bytes of scales and minima, 128 of codes.
float q4_k(const Byte* b, uint32_t i) {
  const auto [scale, minimum] = k_scale(b + 4, i / 32);
  const float product = f16_at(b) * as_float(scale) * as_float(k_nibble(b + 16, i));
  return product - f16_at(b + 2) * as_float(minimum);
}

// The same with 32 bytes of upper bits before the codes.
float q5_k(const Byte* b, uint32_t i) {
  const auto [scale, minimum] = k_scale(b + 4, i / 32);
  const int q = k_nibble(b + 48, i) | k_bit(b + 16, i) << 4;
  const float product = f16_at(b) * as_float(scale) * as_float(q);
  return product - f16_at(b + 2) * as_float(minimum);
}

// 128 bytes of low halves, 64 of upper pairs, 16 scales (signed), d. Of 128 values, the first 64
// have the low halves of 64 bytes and the last 64 the high ones.
float q6_k(const Byte* b, uint32_t i) {
  const int low = b[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
  const int q = (low | k_pair(b + 128, i) << 4) - 32;
  return f16_at(b + 208) * as_float(int{static_cast<int8_t>(b[192 + i / 16])}) * as_float(q);
}

template <uint32_t n, float (*value)(const Byte*, uint32_t)>
void fill(const Byte* block, float* out) {
  for (uint32_t i = 0; i < n; ++i) out[i] = value(block, i);
}

}  // namespace

ScaleAndMinimum k_scale(const uint8_t* packed, uint32_t j) {
  const uint32_t at_j = packed[j], at_j4 = packed[j + 4];
  if (j < 4) return {at_j & 63, at_j4 & 63};
  const uint32_t top = packed[j - 4];
  return {(at_j4 & 15) | top >> 6 << 4, at_j4 >> 4 | at_j >> 6 << 4};
}

void block_values(DType dtype, const uint8_t* block, float* out) {
  switch (dtype) {
    case DType::q4_0: return fill<32, q4_0>(block, out);
    case DType::q4_1: return fill<32, q4_1>(block, out);
    case DType::q5_0: return fill<32, q5_0>(block, out);
    case DType::q5_1: return fill<32, q5_1>(block, out);
    case DType::q8_0: return fill<32, q8_0>(block, out);
    case DType::iq4_nl: return fill<32, iq4_nl>(block, out);
    case DType::mxfp4: return fill<32, mxfp4>(block, out);
    case DType::q2_k: return fill<256, q2_k>(block, out);
    case DType::q3_k: return fill<256, q3_k>(block, out);
    case DType::q4_k: return fill<256, q4_k>(block, out);
    case DType::q5_k: return fill<256, q5_k>(block, out);
    case DType::q6_k: return fill<256, q6_k>(block, out);
    default: return;
  }
}

}  // namespace handloom::formats
