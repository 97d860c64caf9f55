#include "formats/quantise_blocks.h"

#include "base/half.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace handloom::formats {
namespace {

using Byte = uint8_t;

void put_u16(Byte* to, uint16_t value) { std::memcpy(to, &value, sizeof value); }

// Four values at a time, which compilers do for sums of floats only when told so.
using Lanes = float __attribute__((vector_size(16)));

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
Lanes all(float value) { return Lanes{value, value, value, value}; }
float sum(Lanes lanes) { return lanes[0] + lanes[1] + (lanes[2] + lanes[3]); }

/// nearest_code() of each, still as floats.
Lanes nearest_codes(Lanes x, float low, float high) {
  x = x < low ? all(low) : x;
  x = x > high ? all(high) : x;
  return (x + 0x1.8p23f) - 0x1.8p23f;
}

float inverse(float scale) { return scale == 0 ? 0 : 1 / scale; }

Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }

/// Greatest and least of n values, n a multiple of 4.
struct Range {
  float least, most;
};
Range range_of(const float* x, uint32_t n) {
  Lanes most = load(x), least = -most;
  for (uint32_t i = 4; i < n; i += 4) {
    most = larger(most, load(x + i));
    least = larger(least, -load(x + i));
  }
  return {-std::max({least[0], least[1], least[2], least[3]}),
          std::max({most[0], most[1], most[2], most[3]})};
}

/// A value of the largest magnitude, with its sign.
float extreme(const float* x, uint32_t n) {
  const auto [least, most] = range_of(x, n);
  return -least > most ? least : most;
}

/// value / n as an f16 of either sign, as f16_step() has it for magnitudes.
uint16_t signed_step(float value, float n) {
  const uint16_t sign = (value < 0) != (n < 0) ? 0x8000 : 0;
  return f16_step(std::fabs(value), std::fabs(n)) | sign;
}

/// Value j in the low half of byte j, value j + 16 in the high half.
void put_halves(const Byte* codes, Byte* q) {
  for (uint32_t j = 0; j < 16; ++j) q[j] = static_cast<Byte>(codes[j] | codes[j + 16] << 4);
}

/// Squared error of q4_0 with scale d.
float q4_0_error(const float* x, float d) {
  const float per_d = inverse(d);
  Lanes error = {};
  for (uint32_t i = 0; i < 32; i += 4) {
    const Lanes value = load(x + i);
    const Lanes off = value - d * nearest_codes(value * per_d, -8, 7);
    error += off * off;
  }
  return sum(error);
}

/// x * per_scale as codes, `low` written as 0.
template <uint32_t n>
void put_codes(const float* x, float per_scale, float low, float high, Byte* codes) {
  for (uint32_t i = 0; i < n; i += 4) {
    const Lanes q = nearest_codes(load(x + i) * per_scale, low, high) - low;
    for (uint32_t j = 0; j < 4; ++j) codes[i + j] = static_cast<Byte>(static_cast<int>(q[j]));
  }
}

// ---- K types
// -------------------------------------------------------------------------------------

/// The least squared error so far, and the scale (and minimum) that gave it.
struct Fit {
  float scale = 0, minimum = 0, error = 0;
};

/// Importance of each value: large ones matter more to a dot product, small ones matter, too.
void importance(const float* x, uint32_t n, float* weight) {
  float squares = 0;
  for (uint32_t i = 0; i < n; ++i) squares += x[i] * x[i];
  const float mean = squares / static_cast<float>(n);
  for (uint32_t i = 0; i < n; ++i) weight[i] = mean + x[i] * x[i];
}

/// Weighted squared error of scale * q - minimum with the best codes from low to high.
template <uint32_t n>
float error_of(const float* x, const float* weight, float scale, float minimum, float low,
               float high) {
  const float per_scale = inverse(scale);
  Lanes error = {};
  for (uint32_t i = 0; i < n; i += 4) {
    const Lanes value = load(x + i);
    const Lanes q = nearest_codes((value + minimum) * per_scale, low, high);
    const Lanes off = value - (scale * q - minimum);
    error += load(weight + i) * off * off;
  }
  return sum(error);
}

/// With the codes that a grid from -minimum on in steps of 1 / per_scale gives, the scale and the
/// minimum (not below 0) of least weighted squared error. The sums of a linear regression.
Fit regression(const float* x, const float* weight, float per_scale, float minimum) {
  Lanes w_lanes = {}, wq_lanes = {}, wqq_lanes = {}, wx_lanes = {}, wqx_lanes = {};
  for (uint32_t i = 0; i < 32; i += 4) {
    const Lanes value = load(x + i), w = load(weight + i);
    const Lanes q = nearest_codes((value + minimum) * per_scale, 0, 15);
    w_lanes += w;
    wq_lanes += w * q;
    wqq_lanes += w * q * q;
    wx_lanes += w * value;
    wqx_lanes += w * q * value;
  }
  const float w_sum = sum(w_lanes), wq = sum(wq_lanes), wqq = sum(wqq_lanes);
  const float wx = sum(wx_lanes), wqx = sum(wqx_lanes);
  const float determinant = w_sum * wqq - wq * wq;
  Fit fit;
  if (determinant > 0) {
    fit.scale = (w_sum * wqx - wq * wx) / determinant;
    fit.minimum = (wq * wqx - wqq * wx) / determinant;
  }
  // The types only subtract: a minimum above zero is none.
  if (determinant <= 0 || fit.minimum < 0) fit = {.scale = wqq > 0 ? wqx / wqq : 0};
  return fit;
}

/// Scale and minimum for 32 values of q4_k, before they become 6 bits each.
Fit fit_q4(const float* x, const float* weight) {
  const auto [least, most] = range_of(x, 32);
  const float minimum = std::max(0.0f, -least), range = most + minimum;
  if (!(range > 0)) return {.minimum = minimum};  // all the same, and not above zero
  Fit best{.scale = range / 15, .minimum = minimum};
  best.error = error_of<32>(x, weight, best.scale, minimum, 0, 15);
  // Grids a little coarser, whose ends are cut off, and a little finer.
  constexpr int kTries = 9;
  for (int i = -kTries; i <= kTries; ++i) {
    const float per_scale = (15 + 0.15f * static_cast<float>(i)) / range;
    Fit fit = regression(x, weight, per_scale, minimum);
    if (!(fit.scale > 0)) continue;
    fit.error = error_of<32>(x, weight, fit.scale, fit.minimum, 0, 15);
    if (fit.error < best.error) best = fit;
  }
  return best;
}

/// Scale for 16 values of q6_k, of either sign.
Fit fit_q6(const float* x, const float* weight) {
  const float most = extreme(x, 16);
  if (most == 0) return {};
  Fit best{.scale = std::fabs(most) / 31};
  best.error = error_of<16>(x, weight, best.scale, 0, -32, 31);
  constexpr int kTries = 9;
  for (int i = -kTries; i <= kTries; ++i) {
    // The largest value gets the code -32, which has no positive twin.
    const float per_scale = (-32 + 0.1f * static_cast<float>(i)) / most;
    Lanes wqx = {}, wqq = {};
    for (uint32_t j = 0; j < 16; j += 4) {
      const Lanes value = load(x + j), w = load(weight + j);
      const Lanes q = nearest_codes(value * per_scale, -32, 31);
      wqx += w * q * value;
      wqq += w * q * q;
    }
    if (!(sum(wqq) > 0)) continue;
    Fit fit{.scale = sum(wqx) / sum(wqq)};
    fit.error = error_of<16>(x, weight, fit.scale, 0, -32, 31);
    if (fit.error < best.error) best = fit;
  }
  return best;
}

/// What a sub-block's scale and minimum become in units of d and dmin.
struct Steps {
  int scale = 0, minimum = 0;
};

/// The best of the nearest 6-bit scale and minimum and their neighbours: rounding each alone
/// forgets that the other moved, too.
Steps nearest_steps(const float* x, const float* weight, const Fit& fit, float d, float dmin) {
  const int scale = nearest_code(fit.scale * inverse(d), 0, 63);
  const int minimum = nearest_code(fit.minimum * inverse(dmin), 0, 63);
  Steps best;
  float least = INFINITY;
  for (int s = std::max(0, scale - 1); s <= std::min(63, scale + 1); ++s) {
    for (int m = std::max(0, minimum - 1); m <= std::min(63, minimum + 1); ++m) {
      const float error =
          error_of<32>(x, weight, d * static_cast<float>(s), dmin * static_cast<float>(m), 0, 15);
      if (error < least) least = error, best = {s, m};
    }
  }
  return best;
}

int nearest_q6_scale(const float* x, const float* weight, const Fit& fit, float d) {
  const int middle = nearest_code(fit.scale * inverse(d), -128, 127);
  int best = 0;
  float least = INFINITY;
  for (int s = std::max(-128, middle - 1); s <= std::min(127, middle + 1); ++s) {
    const float error = error_of<16>(x, weight, d * static_cast<float>(s), 0, -32, 31);
    if (error < least) least = error, best = s;
  }
  return best;
}

/// Eight pairs of 6 bits in 12 bytes; block_values.h has the places.
void put_k_scales(const Steps* steps, Byte* packed) {
  for (uint32_t j = 0; j < 4; ++j) {
    const Steps low = steps[j], high = steps[j + 4];
    packed[j] = static_cast<Byte>(low.scale | high.scale >> 4 << 6);
    packed[j + 4] = static_cast<Byte>(low.minimum | high.minimum >> 4 << 6);
    packed[j + 8] = static_cast<Byte>((high.scale & 15) | (high.minimum & 15) << 4);
  }
}

}  // namespace

uint16_t f16_step(float value, float n) {
  const uint16_t nearest = f32_to_f16(value / n);
  return value > (n + 0.5f) * f16_to_f32(nearest) ? static_cast<uint16_t>(nearest + 1) : nearest;
}

void quantise_q8_0(const float* x, uint8_t* block) {
  const uint16_t d = f16_step(std::fabs(extreme(x, 32)), 127);
  put_u16(block, d);
  const float per_d = inverse(f16_to_f32(d));
  for (uint32_t i = 0; i < 32; ++i) {
    block[2 + i] = static_cast<Byte>(nearest_code(x[i] * per_d, -127, 127));
  }
}

void quantise_q4_0(const float* x, uint8_t* block) {
  const float most = extreme(x, 32);
  uint16_t best = 0;
  float least = INFINITY;
  // -8 has no positive twin: the largest value may have it, or be cut off, or all be symmetric.
  for (const float n : {-8.0f, -8.5f, 7.0f}) {
    const uint16_t d = signed_step(most, n);
    const float error = q4_0_error(x, f16_to_f32(d));
    if (error < least) least = error, best = d;
  }
  put_u16(block, best);
  Byte codes[32];
  put_codes<32>(x, inverse(f16_to_f32(best)), -8, 7, codes);
  put_halves(codes, block + 2);
}

void quantise_q4_1(const float* x, uint8_t* block) {
  const auto [least, most] = range_of(x, 32);
  // The minimum is rounded down, so that nothing lies below it.
  uint16_t m = f32_to_f16(least);
  if (f16_to_f32(m) > least) m = m == 0 ? 0x8001 : m & 0x8000 ? m + 1 : m - 1;
  const float minimum = f16_to_f32(m);
  const uint16_t d = f16_step(most - minimum, 15);
  put_u16(block, d);
  put_u16(block + 2, m);
  Byte codes[32];
  const float per_d = inverse(f16_to_f32(d));
  for (uint32_t i = 0; i < 32; ++i) {
    codes[i] = static_cast<Byte>(nearest_code((x[i] - minimum) * per_d, 0, 15));
  }
  put_halves(codes, block + 4);
}

void quantise_q4_k(const float* x, uint8_t* block) {
  float weight[256];
  Fit fits[8];
  float scale = 0, minimum = 0;
  for (uint32_t j = 0; j < 8; ++j) {
    importance(x + 32 * j, 32, weight + 32 * j);
    fits[j] = fit_q4(x + 32 * j, weight + 32 * j);
    scale = std::max(scale, fits[j].scale);
    minimum = std::max(minimum, fits[j].minimum);
  }
  const uint16_t d_bits = f16_step(scale, 63), dmin_bits = f16_step(minimum, 63);
  const float d = f16_to_f32(d_bits), dmin = f16_to_f32(dmin_bits);
  put_u16(block, d_bits);
  put_u16(block + 2, dmin_bits);

  Steps steps[8];
  Byte* q = block + 16;
  std::memset(q, 0, 128);
  for (uint32_t j = 0; j < 8; ++j) {
    steps[j] = nearest_steps(x + 32 * j, weight + 32 * j, fits[j], d, dmin);
    const float per_scale = inverse(d * static_cast<float>(steps[j].scale));
    const float own_minimum = dmin * static_cast<float>(steps[j].minimum);
    for (uint32_t l = 0; l < 32; ++l) {
      const int code = nearest_code((x[32 * j + l] + own_minimum) * per_scale, 0, 15);
      q[j / 2 * 32 + l] |= static_cast<Byte>(code << (j % 2 * 4));
    }
  }
  put_k_scales(steps, block + 4);
}

void quantise_q6_k(const float* x, uint8_t* block) {
  float weight[256];
  Fit fits[16];
  float least = 0, most = 0;
  for (uint32_t j = 0; j < 16; ++j) {
    importance(x + 16 * j, 16, weight + 16 * j);
    fits[j] = fit_q6(x + 16 * j, weight + 16 * j);
    least = std::min(least, fits[j].scale);
    most = std::max(most, fits[j].scale);
  }
  // Scales reach from -128 to 127, whichever sign of d serves the larger ones better.
  const bool negative = most > -least;
  const float larger = std::max(most, -least), other = std::min(most, -least);
  uint16_t d_bits = larger * 127 >= other * 128 ? f16_step(larger, 128) : f16_step(other, 127);
  if (negative) d_bits |= 0x8000;
  const float d = f16_to_f32(d_bits);
  std::memset(block, 0, 192);
  put_u16(block + 208, d_bits);
  for (uint32_t j = 0; j < 16; ++j) {
    const int own = nearest_q6_scale(x + 16 * j, weight + 16 * j, fits[j], d);
    block[192 + j] = static_cast<Byte>(own);
    const float per_scale = inverse(d * static_cast<float>(own));
    for (uint32_t i = 16 * j; i < 16 * j + 16; ++i) {
      const int code = nearest_code(x[i] * per_scale, -32, 31) + 32;
      block[i / 128 * 64 + i % 64] |= static_cast<Byte>((code & 15) << (i / 64 % 2 * 4));
      block[128 + i / 128 * 32 + i % 32] |= static_cast<Byte>(code >> 4 << (i / 32 % 4 * 2));
    }
  }
}

}  // namespace handloom::formats
