#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// y[r,i] = gelu_tanh(gate_up[r,i]) * gate_up[r, dim + i].   Kernel: kernels/geglu.wgsl
///
///   gate_up  f32 [rows, 2 * dim]
///   y        f32 [rows, dim]   its own buffer
void geglu(gpu::Encoder& enc, const gpu::Tensor& gate_up, const gpu::Tensor& y);

}  // namespace handloom::ops
