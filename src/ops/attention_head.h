// Attention of one row in one dispatch, from the layer's input on: for software adapters.
#pragma once

#include "ops/attention_split.h"
#include "ops/matrix.h"

namespace handloom::ops {

/// What `row` brings to attention is projected first: queries, key and value from `input`; row.qkv
/// is left alone. Then as attention_split and attention_combine.   Kernel:
/// kernels/attention_head.wgsl
///
///   weight  [row_dim, dim], bias f32 [row_dim] or none: a tensor without a buffer
///   kv      the only slab that the row sees, which holds its position
///   n_keys  that the row sees when recorded, for the count of bytes alone
///   next    of n_heads * head_dim values
void attention_head(gpu::Encoder& enc, const Input& input, const Matrix& weight,
                    const gpu::Tensor& bias, const SplitRow& row, const gpu::Tensor& kv,
                    const Scores& scores, uint32_t n_keys, Input& next);

/// Whether it can, and is worth it: where handing a dispatch over to cores costs more than leaving
/// some of them idle.
bool can_attention_head(const gpu::Encoder& enc, const Input& input, const Matrix& weight,
                        const Heads& heads);

}  // namespace handloom::ops
