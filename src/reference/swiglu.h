#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// y[r,i] = silu(gate_up[r,i]) * gate_up[r,ffn_dim+i], silu(g) = g / (1 + exp(-g))
/// (Shazeer, "GLU Variants Improve Transformer", 2020)
///
///   gate_up  [rows, 2 * ffn_dim]: [gate | up]
///   returns  [rows, ffn_dim]
///
/// Computed in double, rounded once at the end.
Host swiglu(const Host& gate_up);

}  // namespace handloom::reference
