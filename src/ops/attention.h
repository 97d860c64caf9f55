#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"

namespace handloom::ops {

/// y[r,h,:] = softmax(scale * q[r,h,:] . K[0..positions[r]]) V, causal, grouped queries.
/// Kernel: kernels/attention.wgsl
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
               const Heads& heads, float scale, uint32_t n_keys);

}  // namespace handloom::ops
