#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// y[r,i] = gelu(gate_up[r,i]) * gate_up[r,ffn_dim+i], with the tanh form of gelu (Hendrycks and
/// Gimpel, "Gaussian Error Linear Units", 2016):
/// gelu(g) = g / 2 * (1 + tanh(sqrt(2 / pi) * (g + 0.044715 * g^3)))
///
///   gate_up  [rows, 2 * ffn_dim]: [gate | up]
///   returns  [rows, ffn_dim]
///
/// Computed in double, rounded once at the end.
Host geglu(const Host& gate_up);

}  // namespace handloom::reference
