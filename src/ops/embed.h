#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// x[r,:] = scale * token_embd[token_ids[r],:].   Kernel: kernels/embed.wgsl
///
///   token_ids   u32 [rows]   each below vocab_size
///   token_embd  f32, f16 or bf16 [vocab_size, dim]
///   x           f32 [rows, dim]
///
/// dim must be a multiple of 4.
void embed(gpu::Encoder& enc, const gpu::Tensor& token_ids, const gpu::Tensor& token_embd,
           const gpu::Tensor& x, float scale = 1.0f);

}  // namespace handloom::ops
