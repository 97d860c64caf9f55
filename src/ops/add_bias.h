#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// y[r,:] += bias.   Kernel: kernels/add_bias.wgsl
///
///   bias  f32 [dim]
///   y     f32 [rows, dim]
///
/// dim must be a multiple of 4.
void add_bias(gpu::Encoder& enc, const gpu::Tensor& bias, const gpu::Tensor& y);

}  // namespace handloom::ops
