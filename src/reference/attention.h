#pragma once

#include "reference/host.h"

#include <span>

namespace handloom::reference {

/// What becomes of the scores, and which keys have one.
struct Scores {
  float scale = 1;      // of a query-key product
  uint32_t window = 0;  // keys a row sees, its own included; 0: all before it
  float softcap = 0;    // scores become softcap * tanh(score / softcap); 0: not
};

/// y[r,h,:] = sum over p of softmax(cap(scale * dot(q[r,h,:], K[p,:])))[p] * V[p,:], where p runs
/// over the last `window` positions up to positions[r], or over all of them.
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
               uint32_t n_kv_heads, uint32_t head_dim, const Scores& scores);

}  // namespace handloom::reference
