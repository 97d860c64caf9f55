#include "reference/add_bias.h"

namespace handloom::reference {

void add_bias(Host& y, const Host& bias) {
  assert(bias.values.size() == y.row_dim());
  for (size_t r = 0; r < y.n_rows(); ++r) {
    for (size_t i = 0; i < y.row_dim(); ++i) y.row(r)[i] += bias.values[i];
  }
}

}  // namespace handloom::reference
