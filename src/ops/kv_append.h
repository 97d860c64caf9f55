#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"

namespace handloom::ops {

/// Stores the keys and values of qkv in the pages of their positions.   Kernel:
/// kernels/kv_append.wgsl
///
///   qkv         f32 [rows, heads.row_dim()]   keys rotated already
///   positions   u32 [rows]
///   page_table  u32 [n_pages]   page of each 16 positions
///   kv          f32 or f16 [n_pages, 2 * n_kv_heads, 16, head_dim]   keys, then values
void kv_append(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const Heads& heads);

}  // namespace handloom::ops
