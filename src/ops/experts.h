#pragma once

#include "gpu/encoder.h"
#include "ops/matrix.h"

namespace handloom::ops {

// A mixture of experts: each row uses n_used of n_experts feed-forward blocks, and only these are
// computed. A slot is one use: slot = row * n_used + place.

/// The experts of each row with the largest router logits, largest first, and their softmax shares;
/// with `normalise`, the shares of a row add up to 1.   Kernel: kernels/route_experts.wgsl
///
///   router_logits  f32 [rows, n_experts]   n_experts at most 512
///   expert_ids     u32 [rows, n_used]
///   shares         f32 [rows, n_used]
void route_experts(gpu::Encoder& enc, const gpu::Tensor& router_logits,
                   const gpu::Tensor& expert_ids, const gpu::Tensor& shares, bool normalise);

/// y[s,n] = sum over k of x[.,k] * weight[expert_ids[s], n, k]; x has one row a slot, or one a row
/// that its slots share.   Kernel: kernels/matmul_experts.wgsl
///
///   x           f32 [rows or rows * n_used, in_dim]
///   expert_ids  u32 [rows, n_used]
///   weight      any type [n_experts * out_dim, in_dim]   one expert below the other; parts of
///               whole experts
///   y           f32 [rows * n_used, out_dim]   its own buffer
///
/// in_dim must be a multiple of 4.
void matmul_experts(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& expert_ids,
                    const Matrix& weight, const gpu::Tensor& y);

/// y[r,:] = sum over the slots of row r of shares * x.   Kernel: kernels/combine_experts.wgsl
///
///   x       f32 [rows * n_used, dim]
///   shares  f32 [rows, n_used]
///   y       f32 [rows, dim]   its own buffer
///
/// dim must be a multiple of 4.
void combine_experts(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& shares,
                     const gpu::Tensor& y);

}  // namespace handloom::ops
