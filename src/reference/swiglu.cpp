#include "reference/swiglu.h"

#include <cmath>

namespace handloom::reference {

Host swiglu(const Host& gate_up) {
  assert(gate_up.dim(1) % 2 == 0);
  const uint32_t rows = gate_up.dim(0), ffn_dim = gate_up.dim(1) / 2;

  Host y({rows, ffn_dim});
  for (uint32_t r = 0; r < rows; ++r) {
    for (uint32_t i = 0; i < ffn_dim; ++i) {
      const double gate = gate_up.row(r)[i], up = gate_up.row(r)[ffn_dim + i];
      y.row(r)[i] = static_cast<float>(gate / (1 + std::exp(-gate)) * up);
    }
  }
  return y;
}

}  // namespace handloom::reference
