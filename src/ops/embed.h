#pragma once

#include "gpu/encoder.h"
#include "ops/input.h"
#include "ops/matrix.h"

namespace handloom::ops {

/// x[r,:] = scale * weight[token_ids[r],:].   Kernel: kernels/embed.wgsl
///
///   token_ids   u32 [rows]   each below vocab_size
///   weight      any type [vocab_size, dim]
///   x           f32 [rows, dim]
///
/// dim must be a multiple of 4, of 32 for a quantised weight. A dispatch for each part of the
/// weight.
void embed(gpu::Encoder& enc, const gpu::Tensor& token_ids, const Matrix& weight,
           const gpu::Tensor& x, float scale = 1.0f);

/// The same of one row, and next = x * gamma with sums of squares.   Kernel:
/// kernels/embed_input.wgsl
///
///   token_ids   u32 [1]
///   gamma       f32 [dim]   the weight of the norm that comes before the next matrix
///   x           f32 [1, dim]
///   next        of dim values, dim % 8 == 0; n_sums is set
void embed_input(gpu::Encoder& enc, const gpu::Tensor& token_ids, const Matrix& weight,
                 const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next, float scale = 1.0f);

}  // namespace handloom::ops
