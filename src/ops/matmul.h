#pragma once

#include "gpu/encoder.h"
#include "ops/sharing.h"
#include "ops/matrix.h"

#include <optional>

namespace handloom::ops {

/// y[r,n] = sum over k of x[r,k] * weight[n,k].   Kernels: kernels/matmul_vec.wgsl for up to
/// kMatmulVecRows rows, kernels/matmul_tile.wgsl or kernels/matmul_lanes.wgsl for more, as
/// `sharing` says, or sharing_on().
///
///   x       f32 [rows, in_dim]
///   weight  any type [out_dim, in_dim]
///   y       f32 [rows, out_dim]   its own buffer
///
/// in_dim must be a multiple of 4, of 32 for a quantised weight. A dispatch for each part of the
/// weight.
void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const Matrix& weight, const gpu::Tensor& y,
            std::optional<Sharing> sharing = {});

/// From here on a tile, which reads each weight once for its rows, costs less than a vector a row.
inline constexpr uint32_t kMatmulVecRows = 4;

}  // namespace handloom::ops
