// Comparing what the GPU computed with what the reference says, within a bound that is derived
// (checks/tolerance.h says how).
#pragma once

#include "checks/tolerance.h"
#include "tests/support/host_data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace handloom::test {

/// What a failure names besides the numbers.
struct Case {
  std::string op, shape, variant;
};

/// Success, or the worst element: the one that exceeds its tolerance by the largest factor.
inline testing::AssertionResult is_close(const Case& where, const Host& got, const Host& want,
                                         const Tolerance& tolerance) {
  if (got.shape != want.shape) {
    return testing::AssertionFailure()
           << fmt::format("{} {} {}: got shape {}, want {}", where.op, where.shape, where.variant,
                          to_string(got.shape), to_string(want.shape));
  }
  const Comparison c = compare(got, want, tolerance);
  if (c.n_wrong == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format(
             "{} {} {}: {} of {} values differ; worst at {}: got {:.9g}, want {:.9g}, tolerance "
             "{:.3g}",
             where.op, where.shape, where.variant, c.n_wrong, c.n_values,
             index_of(c.worst, want.shape), got.values[c.worst], want.values[c.worst],
             tolerance.at(c.worst, want.values[c.worst]));
}

}  // namespace handloom::test
