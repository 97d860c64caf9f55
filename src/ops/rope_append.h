#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"

namespace handloom::ops {

/// One row's way from the projection to attention: queries and keys normalised (where the model
/// does that) and rotated, keys and values appended to the cache.   Kernel:
/// kernels/rope_append.wgsl
///
///   positions           u32 [1]
///   cos_sin             f32 [context, rope_dim / 2, 2]
///   q_weight, k_weight  f32 [head_dim], or none: tensors without a buffer
///   page_table          u32 [pages of the context]
///   qkv                 f32 [1, row_dim]
///   kv                  the slab that holds the position [n_pages, page]
struct RopeAppend {
  const gpu::Tensor& positions;
  const gpu::Tensor& cos_sin;
  const gpu::Tensor& q_weight;
  const gpu::Tensor& k_weight;
  const gpu::Tensor& page_table;
  const gpu::Tensor& qkv;
  const gpu::Tensor& kv;
  Heads heads;
  float eps = 0;
};
void rope_append(gpu::Encoder& enc, const RopeAppend& what);

}  // namespace handloom::ops
