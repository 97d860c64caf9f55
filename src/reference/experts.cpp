#include "reference/experts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace handloom::reference {

Routes route_experts(const Host& router_logits, uint32_t n_used, bool normalise) {
  const uint32_t rows = router_logits.dim(0), n_experts = router_logits.dim(1);
  Routes routes{.expert_ids = {}, .shares = Host({rows, n_used})};
  for (uint32_t r = 0; r < rows; ++r) {
    const std::span<const float> logits = router_logits.row(r);
    std::vector<uint32_t> order(n_experts);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return logits[a] > logits[b]; });

    const double largest = logits[order[0]];
    double total = 0;
    for (uint32_t i = 0; i < (normalise ? n_used : n_experts); ++i) {
      total += std::exp(logits[order[i]] - largest);
    }
    for (uint32_t u = 0; u < n_used; ++u) {
      routes.expert_ids.push_back(order[u]);
      routes.shares.row(r)[u] = static_cast<float>(std::exp(logits[order[u]] - largest) / total);
    }
  }
  return routes;
}

Host matmul_experts(const Host& x, const std::vector<uint32_t>& expert_ids, const Host& w,
                    uint32_t out_dim) {
  const auto n_slots = static_cast<uint32_t>(expert_ids.size());
  const size_t slots_per_x_row = n_slots / x.n_rows();
  Host y({n_slots, out_dim});
  for (size_t s = 0; s < n_slots; ++s) {
    const std::span<const float> row = x.row(s / slots_per_x_row);
    for (size_t n = 0; n < out_dim; ++n) {
      const std::span<const float> weights = w.row(expert_ids[s] * size_t{out_dim} + n);
      double sum = 0;
      for (size_t k = 0; k < row.size(); ++k) sum += double{row[k]} * weights[k];
      y.row(s)[n] = static_cast<float>(sum);
    }
  }
  return y;
}

Host combine_experts(const Host& x, const Host& shares) {
  const uint32_t rows = shares.dim(0), n_used = shares.dim(1), dim = x.dim(1);
  Host y({rows, dim});
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < dim; ++i) {
      double sum = 0;
      for (size_t u = 0; u < n_used; ++u) {
        sum += double{shares.row(r)[u]} * x.row(r * n_used + u)[i];
      }
      y.row(r)[i] = static_cast<float>(sum);
    }
  }
  return y;
}

}  // namespace handloom::reference
