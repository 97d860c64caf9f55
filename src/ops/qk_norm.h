#pragma once

#include "gpu/encoder.h"
#include "ops/heads.h"

namespace handloom::ops {

/// Normalises each query and key head of qkv in place, as rms_norm does a row.
/// Kernel: kernels/qk_norm.wgsl
///
///   q_weight  f32 [head_dim]
///   k_weight  f32 [head_dim]
///   qkv       f32 [rows, heads.row_dim()]
///
/// head_dim must be a multiple of 4.
void qk_norm(gpu::Encoder& enc, const gpu::Tensor& q_weight, const gpu::Tensor& k_weight,
             const gpu::Tensor& qkv, const Heads& heads, float eps);

}  // namespace handloom::ops
