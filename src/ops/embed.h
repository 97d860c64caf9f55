#pragma once

#include "gpu/encoder.h"
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

}  // namespace handloom::ops
