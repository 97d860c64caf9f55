// Comparing what the GPU computed with what the reference says, within a bound that is derived.
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

#include "tests/support/host_data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace handloom::test {

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

/// What a failure names besides the numbers.
struct Case {
  std::string op, shape, variant;
};

inline std::string index_of(size_t i, const Shape& shape) {
  std::string text;
  for (uint32_t d = shape.rank(); d-- > 0;) {
    text = fmt::format("{}{}{}", i % shape.dim(d), text.empty() ? "" : ", ", text);
    i /= shape.dim(d);
  }
  return "[" + text + "]";
}

/// Success, or the worst element: the one that exceeds its tolerance by the largest factor.
inline testing::AssertionResult is_close(const Case& where, const Host& got, const Host& want,
                                         const Tolerance& tolerance) {
  if (got.shape != want.shape) {
    return testing::AssertionFailure()
           << fmt::format("{} {} {}: got shape {}, want {}", where.op, where.shape, where.variant,
                          to_string(got.shape), to_string(want.shape));
  }
  size_t worst = 0, n_wrong = 0;
  double worst_excess = 0;
  for (size_t i = 0; i < want.values.size(); ++i) {
    const float w = want.values[i], g = got.values[i];
    if (g == w) continue;  // equal infinities, too
    const double difference = std::abs(double{g} - w), allowed = tolerance.at(i, w);
    if (difference <= allowed && std::isfinite(allowed)) continue;
    ++n_wrong;
    // A NaN on either side fails the comparison above and is worse than any number.
    const double excess = std::isfinite(difference) ? difference / (allowed + 0x1p-149) : kInfinity;
    if (n_wrong == 1 || excess > worst_excess) {
      worst = i;
      worst_excess = excess;
    }
  }
  if (n_wrong == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format(
             "{} {} {}: {} of {} values differ; worst at {}: got {:.9g}, want {:.9g}, tolerance "
             "{:.3g}",
             where.op, where.shape, where.variant, n_wrong, want.values.size(),
             index_of(worst, want.shape), got.values[worst], want.values[worst],
             tolerance.at(worst, want.values[worst]));
}

}  // namespace handloom::test
