#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"

namespace handloom::ops {

/// Rotates the query and key heads of qkv in place, half-split pairing.   Kernel: kernels/rope.wgsl
///
///   positions  u32 [rows]   each below max_positions
///   cos_sin    f32 [max_positions, rope_dim / 2, 2]
///   qkv        f32 [rows, heads.row_dim()]
void rope(gpu::Encoder& enc, const gpu::Tensor& positions, const gpu::Tensor& cos_sin,
          const gpu::Tensor& qkv, const Heads& heads);

}  // namespace handloom::ops
