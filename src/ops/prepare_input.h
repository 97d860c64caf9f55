#pragma once

#include "gpu/encoder.h"
#include "ops/input.h"
#include "ops/sharing.h"

namespace handloom::ops {

/// next = x * gamma, with a sum of squares.   Kernel: kernels/prepare_input.wgsl
///
///   x      f32 [1, dim]
///   gamma  f32 [dim]   the weight of the norm that comes before the next matrix
///   next   of dim values, dim % 8 == 0; n_sums is set
///   sharing  here and below: sharing_on() if none
void prepare_input(gpu::Encoder& enc, const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next,
                   std::optional<Sharing> sharing = {});

/// The same after x += p, or after x += rms_norm(p, post) if post has a buffer.
///
///   p     f32 [1, dim]
///   post  f32 [dim]   Gemma's norm of what is added
void add_and_prepare_input(gpu::Encoder& enc, const gpu::Tensor& p, const gpu::Tensor& post,
                           const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next, float eps,
                           std::optional<Sharing> sharing = {});

/// next = x as it is, without sums of squares: for a matrix that no norm comes before. `spare` is
/// any other tensor; it is bound and not read.
void store_input(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& spare, Input& next,
                 std::optional<Sharing> sharing = {});

}  // namespace handloom::ops
