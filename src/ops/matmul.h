#pragma once

#include "gpu/encoder.h"
#include "ops/matrix.h"

#include <cstdint>
#include <optional>

namespace handloom::ops {

/// The kernels for more than kMatmulVecRows rows: matmul_tile.wgsl, matmul_wide.wgsl,
/// matmul_lanes.wgsl.
enum class ManyRows : uint8_t { tile, wide, lanes };

/// y[r,n] = sum over k of x[r,k] * weight[n,k].   Kernels: kernels/matmul_vec.wgsl for up to
/// kMatmulVecRows rows, for more the one that `how` names, or that suits the adapter and the size.
///
///   x       f32 [rows, in_dim]
///   weight  any type [out_dim, in_dim]
///   y       f32 [rows, out_dim]   its own buffer
///
/// in_dim must be a multiple of 4, of 32 for a quantised weight. A dispatch for each part of the
/// weight.
void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const Matrix& weight, const gpu::Tensor& y,
            std::optional<ManyRows> how = {});

/// Begins to compile what matmul() takes for long prompts, of up to `most_rows` rows, which no
/// first step of a model runs.
void prepare_matmul(gpu::Device& device, DType weight, uint32_t most_rows);

/// From here on a tile, which reads each weight once for its rows, costs less than a vector a row.
inline constexpr uint32_t kMatmulVecRows = 4;

}  // namespace handloom::ops
