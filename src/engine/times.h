// Measured times: in milliseconds, and the middle one of a few.
#pragma once

#include "base/sort.h"

#include <chrono>
#include <vector>

namespace handloom::engine {

inline double milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

/// Of an even number of values the upper of the two in the middle; 0 of none.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  sort_by(values);
  return values[values.size() / 2];
}

}  // namespace handloom::engine
