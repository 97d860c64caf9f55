#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// y[r,i] = silu(gate_up[r,i]) * gate_up[r, dim + i].   Kernel: kernels/swiglu.wgsl
///
///   gate_up  f32 [rows, 2 * dim]
///   y        f32 [rows, dim]   its own buffer
///
/// dim must be a multiple of 4.
void swiglu(gpu::Encoder& enc, const gpu::Tensor& gate_up, const gpu::Tensor& y);

}  // namespace handloom::ops
