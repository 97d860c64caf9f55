#include "reference/geglu.h"

#include <cmath>
#include <numbers>

namespace handloom::reference {

Host geglu(const Host& gate_up) {
  assert(gate_up.dim(1) % 2 == 0);
  const uint32_t rows = gate_up.dim(0), ffn_dim = gate_up.dim(1) / 2;
  const double slope = std::sqrt(2 / std::numbers::pi);

  Host y({rows, ffn_dim});
  for (uint32_t r = 0; r < rows; ++r) {
    for (uint32_t i = 0; i < ffn_dim; ++i) {
      const double gate = gate_up.row(r)[i], up = gate_up.row(r)[ffn_dim + i];
      const double bend = std::tanh(slope * (gate + 0.044715 * gate * gate * gate));
      y.row(r)[i] = static_cast<float>(gate / 2 * (1 + bend) * up);
    }
  }
  return y;
}

}  // namespace handloom::reference
