#pragma once

#include "reference/host.h"

#include <span>

namespace handloom::reference {

/// y[r,h,:] = sum over p of softmax(scale * dot(q[r,h,:], K[p,:]))[p] * V[p,:], p = 0..positions[r]
///
/// Causal attention of every query head over the KV head it shares with n_heads / n_kv_heads - 1
/// others: query head h reads KV head h / (n_heads / n_kv_heads). K and V come from the cache
/// alone, so kv_append must have stored those of these rows.
///
///   qkv         [rows, (n_heads + 2 * n_kv_heads) * head_dim]; only the q part is read
///   positions   [rows]
///   page_table  [> positions[r] / kPageSize]
///   kv          [n_pages, 2 * n_kv_heads, kPageSize, head_dim]
///   returns     [rows, n_heads * head_dim]
///
/// Scores, softmax and sums in double, rounded once at the end.
Host attention(const Host& qkv, std::span<const uint32_t> positions,
               std::span<const uint32_t> page_table, const Host& kv, uint32_t n_heads,
               uint32_t n_kv_heads, uint32_t head_dim, float scale);

}  // namespace handloom::reference
