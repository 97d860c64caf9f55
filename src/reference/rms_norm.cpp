#include "reference/rms_norm.h"

#include <cmath>

namespace handloom::reference {

Host rms_norm(const Host& x, const Host& weight, float eps) {
  const size_t dim = x.row_dim();
  assert(weight.values.size() == dim);

  Host y(x.shape);
  for (size_t r = 0; r < x.n_rows(); ++r) {
    double sum = 0;
    for (const float value : x.row(r)) sum += double{value} * value;

    const double scale = 1 / std::sqrt(sum / static_cast<double>(dim) + eps);
    for (size_t i = 0; i < dim; ++i) {
      y.row(r)[i] = static_cast<float>(x.row(r)[i] * scale * weight.values[i]);
    }
  }
  return y;
}

}  // namespace handloom::reference
