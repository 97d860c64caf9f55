#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"
#include "ops/slab_range.h"

namespace handloom::ops {

/// Stores the keys and values of qkv in the pages of their positions.
/// Kernels: kernels/kv_append.wgsl, kernels/kv_append_int8.wgsl
///
///   qkv         f32 [rows, heads.row_dim()]   keys rotated already
///   positions   u32 [rows]
///   page_table  u32 [n_pages]   page, within its slab, of each 16 positions
///   kv          f32 or f16 [n_pages, 2 * n_kv_heads, 16, head_dim]   keys, then values; or i8
///               [n_pages, 2 * n_kv_heads, 16, head_dim + 2], see kernels/lib/kv_int8.wgsl
///
/// Rows whose positions are not in `slab` are left out.
void kv_append(gpu::Encoder& enc, const gpu::Tensor& qkv, const gpu::Tensor& positions,
               const gpu::Tensor& page_table, const gpu::Tensor& kv, const Heads& heads,
               const SlabRange& slab = {});

}  // namespace handloom::ops
