#include "reference/qk_norm.h"

#include <cmath>

namespace handloom::reference {
namespace {

void normalise(std::span<float> head, std::span<const float> weight, double eps) {
  double sum = 0;
  for (const float value : head) sum += double{value} * value;

  const double scale = 1 / std::sqrt(sum / static_cast<double>(head.size()) + eps);
  for (size_t i = 0; i < head.size(); ++i) {
    head[i] = static_cast<float>(head[i] * scale * weight[i]);
  }
}

}  // namespace

void qk_norm(Host& qkv, const Host& q_weight, const Host& k_weight, uint32_t n_heads,
             uint32_t n_kv_heads, uint32_t head_dim, float eps) {
  assert(qkv.dim(1) == (n_heads + 2 * n_kv_heads) * head_dim);
  assert(q_weight.values.size() == head_dim && k_weight.values.size() == head_dim);

  for (size_t r = 0; r < qkv.n_rows(); ++r) {
    for (uint32_t h = 0; h < n_heads + n_kv_heads; ++h) {
      normalise(qkv.row(r).subspan(size_t{h} * head_dim, head_dim),
                h < n_heads ? q_weight.values : k_weight.values, eps);
    }
  }
}

}  // namespace handloom::reference
