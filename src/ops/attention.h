#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"

namespace handloom::ops {

/// What an attention layer does to its scores and which keys it sees.
struct Scores {
  float scale = 1.0f;    // of a query-key product
  uint32_t window = 0;   // keys a row sees, its own included; 0: all before it
  float softcap = 0.0f;  // scores become softcap * tanh(score / softcap); 0: not
};

/// y[r,h,:] = softmax(scale * q[r,h,:] . K) V over the keys up to positions[r] or the last
/// `window` of them; grouped queries.
/// Kernels: kernels/attention.wgsl for up to 3 rows, kernels/attention_prefill.wgsl for more.
///
///   qkv         f32 [rows, heads.row_dim()]
///   positions   u32 [rows]
///   page_table  u32 [n_pages]
///   kv          f32 or f16 [n_pages, 2 * n_kv_heads, 16, head_dim]   up to and with these rows
///   y           f32 [rows, n_heads * head_dim]   its own buffer
///
/// `n_keys` is the largest position + 1, for counting bytes; the kernel reads positions itself.
void attention(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const gpu::Tensor& y,
               const Heads& heads, const Scores& scores, uint32_t n_keys);

}  // namespace handloom::ops
