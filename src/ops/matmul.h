#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// y[r,n] = sum over k of x[r,k] * weight[n,k].   Kernels: kernels/matmul_vec.wgsl for up to
/// kMatmulVecRows rows, kernels/matmul_tile.wgsl for more.
///
///   x       f32 [rows, in_dim]
///   weight  f32, f16 or bf16 [out_dim, in_dim]
///   y       f32 [rows, out_dim]   its own buffer
///
/// in_dim must be a multiple of 4.
void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& weight,
            const gpu::Tensor& y);

/// From here on a tile, which reads each weight once for 32 rows, costs less than a vector a row.
inline constexpr uint32_t kMatmulVecRows = 4;

}  // namespace handloom::ops
