#pragma once

#include "gpu/encoder.h"
#include "ops/sharing.h"

namespace handloom::ops {

/// y[r,:] = x[r,:] / sqrt(mean(x[r,:]^2) + eps) * weight.   Kernel: kernels/rms_norm.wgsl
///
///   x       f32 [rows, dim]
///   weight  f32, f16 or bf16 [dim]
///   y       f32 [rows, dim]   its own buffer
///
/// dim must be a multiple of 4. `sharing`: sharing_on() if none.
void rms_norm(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& weight,
              const gpu::Tensor& y, float eps, std::optional<Sharing> sharing = {});

}  // namespace handloom::ops
