#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// y += x.   Kernel: kernels/add.wgsl
///
///   x  f32 [rows, dim]
///   y  f32 [rows, dim]   its own buffer
///
/// dim must be a multiple of 4.
void add(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& y);

}  // namespace handloom::ops
