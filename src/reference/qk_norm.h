#pragma once

#include "reference/host.h"

namespace handloom::reference {

/// h = h / sqrt(mean(h^2) + eps) * weight for each query and key head h of every row, in place;
/// value heads stay as they are.
///
///   qkv       [rows, (n_heads + 2 * n_kv_heads) * head_dim]: [q | k | v]
///   q_weight  [head_dim], of all query heads
///   k_weight  [head_dim], of all key heads
///
/// Computed in double, rounded once at the end.
void qk_norm(Host& qkv, const Host& q_weight, const Host& k_weight, uint32_t n_heads,
             uint32_t n_kv_heads, uint32_t head_dim, float eps);

}  // namespace handloom::reference
