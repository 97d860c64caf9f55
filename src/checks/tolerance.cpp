#include "checks/tolerance.h"

#include <fmt/format.h>

#include <algorithm>

namespace handloom::checks {

Comparison compare(const Host& got, const Host& want, const Tolerance& tolerance) {
  Comparison c{.n_values = want.values.size()};
  double worst_excess = 0, sum = 0;
  for (size_t i = 0; i < want.values.size(); ++i) {
    const float w = want.values[i], g = got.values[i];
    if (g == w) {  // equal infinities, too
      ++c.n_exact;
      continue;
    }
    const double difference = std::abs(double{g} - w), allowed = tolerance.at(i, w);
    // What cannot be subtracted is worse than any number.
    const double error = std::isfinite(difference) ? difference : kInfinity;
    sum += error;
    c.max_error = std::max(c.max_error, error);
    if (allowed > 0) c.of_limit = std::max(c.of_limit, error / allowed);
    if (difference <= allowed && std::isfinite(allowed)) continue;
    const double excess = error / (allowed + 0x1p-149);
    if (c.n_wrong++ > 0 && !(excess > worst_excess)) continue;
    c.worst = i;
    worst_excess = excess;
  }
  if (c.n_values > 0) c.mean_error = sum / static_cast<double>(c.n_values);
  return c;
}

std::string index_of(size_t i, const Shape& shape) {
  std::string text;
  for (uint32_t d = shape.rank(); d-- > 0;) {
    text = fmt::format("{}{}{}", i % shape.dim(d), text.empty() ? "" : ", ", text);
    i /= shape.dim(d);
  }
  return "[" + text + "]";
}

}  // namespace handloom::checks
