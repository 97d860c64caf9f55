// How far from the reference a kernel may be: a bound that is derived, and a comparison with it.
//
// Where the bound comes from. Let u = 2^-24, half the distance from 1 to the next f32. WGSL's f32
// add, subtract and multiply round correctly: each changes its result by a factor 1 + d, |d| <= u.
// A sum of n products, in any order and with or without fused multiply-add, passes each product
// through at most n such factors, so (Higham, "Accuracy and Stability of Numerical
// Algorithms", 3.1)
//
//     |got - exact| <= ((1 + u)^n - 1) * sum |a[i] * b[i]|  <=  1.01 * n * u * sum |a[i] * b[i]|
//
// for n up to 10^5. A further step on the way adds to n: 1 for a correctly rounded one, 2 * k for
// one that WGSL allows k ULP (an ULP is up to 2 * u of the value). The reference computes in double
// and rounds once: 1 more. The sum of magnitudes is the reference itself on absolute values, so no
// second reference is needed. A result below 2^-126 may be flushed to zero: that is the floor.
//
// What WGSL allows: x / y 2.5 ULP, inverseSqrt 2 ULP, exp(x) 3 + 2 * |x| ULP, log(x) 3 ULP or, for
// x in [0.5, 2], an absolute 2^-21 ("Accuracy of Expressions").
#pragma once

#include "checks/host_data.h"

namespace handloom::checks {

inline constexpr double kU = 0x1p-24;
inline constexpr double kDivision = 5, kInverseSqrt = 4;  // roundings of size u
constexpr double exp_roundings(double largest_argument) { return 6 + 4 * largest_argument; }

/// Roundings, each of size u and not relative, of 1 - 2 / (1 + exp(2 v)) for a v that is off by
/// `input` roundings. exp is off by 6 + (8 + 2 * input) |v|, which tanh passes on times
/// 1 / (2 cosh(v)^2); |v| times that is at most 0.225. The sum and the quotient are off relative to
/// at most 2, the difference relative to at most 1.
constexpr double tanh_roundings(double input) {
  return 3 + 0.225 * (8 + 2 * input) + 2 * (1 + kDivision) + 1;
}
/// The same for cap * tanh(value / cap), relative to cap.
constexpr double kSoftcap = tanh_roundings(kDivision) + 1;

/// A norm over `dim` values: a relative error e of the sum changes its inverse root by e / 2; then
/// inverseSqrt itself, two products, the division by dim and the sum with eps (each halved, too),
/// and the reference.
constexpr double norm_roundings(uint32_t dim) {
  return dim / 2.0 + kDivision / 2 + 0.5 + kInverseSqrt + 2 + 1;
}

/// |got - want| may be 1.01 * roundings * u * magnitude. 0 roundings: exactly equal.
struct Tolerance {
  double roundings = 0;
  Host magnitude = {};  // element by element; empty: |want|

  double at(size_t i, float want) const {
    if (roundings == 0) return 0;
    const double size = magnitude.values.empty() ? std::abs(want) : magnitude.values[i];
    return 1.01 * roundings * kU * size + roundings * 0x1p-126;
  }
};

/// What a comparison found.
struct Comparison {
  size_t n_values = 0;
  size_t n_exact = 0;    // equal to the last bit
  size_t n_wrong = 0;    // beyond the tolerance
  size_t worst = 0;      // of these, the one that exceeds it by the largest factor
  double max_error = 0;  // of all values, |got - want|
  double mean_error = 0;
  double of_limit = 0;  // the largest error in parts of its tolerance, of values that have one
};

/// `got` and `want` have as many values. A NaN on either side is wrong.
Comparison compare(const Host& got, const Host& want, const Tolerance& tolerance);

/// "[2, 5]", where value number `i` is.
std::string index_of(size_t i, const Shape& shape);

}  // namespace handloom::checks
