#include "reference/matmul.h"

namespace handloom::reference {

Host matmul(const Host& x, const Host& w) {
  const uint32_t rows = x.dim(0), k_dim = x.dim(1), n_dim = w.dim(0);
  assert(w.dim(1) == k_dim);

  Host y({rows, n_dim});
  for (uint32_t r = 0; r < rows; ++r) {
    const std::span<const float> x_row = x.row(r);
    for (uint32_t n = 0; n < n_dim; ++n) {
      const std::span<const float> w_row = w.row(n);
      double sum = 0;
      for (uint32_t k = 0; k < k_dim; ++k) sum += double{x_row[k]} * w_row[k];
      y.row(r)[n] = static_cast<float>(sum);
    }
  }
  return y;
}

}  // namespace handloom::reference
