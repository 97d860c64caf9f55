// The matrix products of the fused plan: one row, from an Input, and with what comes after a
// product in the same dispatch.
#pragma once

#include "gpu/encoder.h"
#include "ops/input.h"
#include "ops/matrix.h"

namespace handloom::ops {

/// y[n] = scale * sum over k of input[k] * weight[n,k] + bias[n], with the scale of the input's
/// RMSNorm if it has sums of squares.   Kernel: kernels/project.wgsl
///
///   weight  any type [out_dim, in_dim]; in_dim % 8 == 0, for an input in 8 bits % 32 == 0
///   bias    f32 [out_dim], or none: a tensor without a buffer
///   y       f32 [1, out_dim]
void project(gpu::Encoder& enc, const Input& input, const Matrix& weight, const gpu::Tensor& bias,
             const gpu::Tensor& y, float eps);

/// x += input . weight; next = x * gamma with sums of squares.   Kernel:
/// kernels/project_residual.wgsl
///
///   input   one without a norm
///   weight  [dim, in_dim], cut into parts at multiples of 8 rows only: see can_project_residual
///   gamma   f32 [dim]   the weight of the norm that comes before the next matrix
///   x       f32 [1, dim]
///   next    of dim values; n_sums is set
void project_residual(gpu::Encoder& enc, const Input& input, const Matrix& weight,
                      const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next);
bool can_project_residual(const Matrix& weight);

enum class Gate { silu, gelu };

/// next = act(gate) * up, of one matrix [gate | up].   Kernel: kernels/project_gated.wgsl
///
///   weight  [2 * dim, in_dim] in one part: see can_project_gated
///   next    of dim values
void project_gated(gpu::Encoder& enc, const Input& input, const Matrix& weight, Gate gate,
                   Input& next, float eps);
bool can_project_gated(const Matrix& weight);

}  // namespace handloom::ops
