#include "reference/attention.h"

#include "reference/kv_append.h"
#include "reference/softcap.h"

#include <algorithm>
#include <cmath>

namespace handloom::reference {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

/// In place. The largest score is taken off first so that no exponential overflows.
void softmax(std::span<double> scores) {
  const double largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

/// One query head at one position: `q` and `y` are [head_dim].
void attend(std::span<const float> q, uint32_t position, std::span<const uint32_t> page_table,
            const Host& kv, uint32_t kv_head, const Scores& scores, std::span<float> y) {
  const uint32_t v_head = kv.dim(1) / 2 + kv_head;
  const uint32_t n_keys = position + 1;
  const uint32_t n_seen = scores.window > 0 ? std::min(n_keys, scores.window) : n_keys;
  const uint32_t first = n_keys - n_seen;

  std::vector<double> weights(n_seen);
  for (uint32_t i = 0; i < n_seen; ++i) {
    weights[i] = scores.scale * dot(q, kv.row(kv_row(kv, page_table, kv_head, first + i)));
    if (scores.softcap > 0) weights[i] = soft_capped(weights[i], scores.softcap);
  }
  softmax(weights);

  std::vector<double> sum(y.size());
  for (uint32_t i = 0; i < n_seen; ++i) {
    const std::span<const float> v = kv.row(kv_row(kv, page_table, v_head, first + i));
    for (size_t d = 0; d < sum.size(); ++d) sum[d] += weights[i] * v[d];
  }
  for (size_t d = 0; d < sum.size(); ++d) y[d] = static_cast<float>(sum[d]);
}

}  // namespace

Host attention(const Host& qkv, std::span<const uint32_t> positions,
               std::span<const uint32_t> page_table, const Host& kv, uint32_t n_heads,
               uint32_t n_kv_heads, uint32_t head_dim, const Scores& scores) {
  assert(positions.size() == qkv.n_rows());
  assert(n_heads % n_kv_heads == 0 && qkv.dim(1) == (n_heads + 2 * n_kv_heads) * head_dim);
  assert(kv.dim(1) == 2 * n_kv_heads && kv.dim(3) == head_dim);
  const uint32_t q_per_kv = n_heads / n_kv_heads;

  Host y({qkv.dim(0), n_heads * head_dim});
  for (size_t r = 0; r < positions.size(); ++r) {
    for (uint32_t h = 0; h < n_heads; ++h) {
      const size_t offset = size_t{h} * head_dim;
      attend(qkv.row(r).subspan(offset, head_dim), positions[r], page_table, kv, h / q_per_kv,
             scores, y.row(r).subspan(offset, head_dim));
    }
  }
  return y;
}

}  // namespace handloom::reference
