#pragma once

#include "gpu/encoder.h"

namespace handloom::ops {

/// y[i] = cap * tanh(y[i] / cap), in place.   Kernel: kernels/softcap.wgsl
///
///   y    f32, any shape
///   cap  above 0
void softcap(gpu::Encoder& enc, const gpu::Tensor& y, float cap);

}  // namespace handloom::ops
