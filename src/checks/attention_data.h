// What bounds the error of attention, whichever kernels compute it.
#pragma once

#include "ops/attention.h"
#include "reference/attention.h"
#include "checks/kv_pages.h"
#include "checks/tolerance.h"

#include <cmath>

namespace handloom::checks {

inline ops::Scores usual(const ops::Heads& heads) {
  return {.scale = 1 / std::sqrt(static_cast<float>(heads.head_dim))};
}

/// The pages with |v| for v, and the same keys.
inline Host with_value_magnitudes(Host kv) {
  const size_t page = kv.values.size() / kv.dim(0), keys = page / 2;
  for (size_t i = 0; i < kv.values.size(); ++i) {
    if (i % page >= keys) kv.values[i] = std::abs(kv.values[i]);
  }
  return kv;
}

/// A bound of scale * sum |q k|: every value of a ramp is at most 1.
inline double largest_score(const Host& qkv, const ops::Heads& heads, float scale) {
  double largest = 0;
  for (const float value : qkv.values) largest = std::max(largest, std::abs(double{value}));
  return scale * largest * heads.head_dim;
}

/// Let S bound the scores. A score is off by (head_dim + 3) u S, a factor for int8 counted, and by
/// `of_queries` u S, if the queries are off by so much; its distance to the maximum (at most 2 S,
/// where both are off) is rounded once more. An error d of its argument changes exp by the factor
/// 1 + d, and exp errs by itself, each of the `n_exps` times that it comes in, which is a product,
/// too. Weights enter the sum over the keys and the divisor: twice all that. Then the sums
/// themselves, the quotient, the reference. A cap bounds the scores, too, does not enlarge their
/// error, and adds its own.
inline double attention_roundings(const ops::Heads& heads, double s, float cap, uint32_t n_keys,
                                  double n_exps, double of_queries = 0) {
  const double bound = cap > 0 ? std::min(s, double{cap}) : s;
  const double argument =
      2 * ((heads.head_dim + 3.0 + of_queries) * s + kSoftcap * cap) + 2 * bound;
  return 2 * ((argument + exp_roundings(2 * bound) + 1) * n_exps + n_keys + 2) + kDivision + 1;
}

}  // namespace handloom::checks
