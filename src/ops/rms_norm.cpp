#include "ops/rms_norm.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

kernels::Norm norm_variant(DType dtype) {
  switch (dtype) {
    case DType::f16: return kernels::Norm::f16;
    case DType::bf16: return kernels::Norm::bf16;
    default: return kernels::Norm::f32;
  }
}

}  // namespace

void rms_norm(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& weight,
              const gpu::Tensor& y, float eps, std::optional<Sharing> sharing) {
  const uint32_t rows = x.dim(0), dim = x.dim(1);

  if (!check_shape(enc, "rms_norm", "weight", weight, {dim})) return;
  if (!check_shape(enc, "rms_norm", "y", y, {rows, dim})) return;
  if (!check_multiple(enc, "rms_norm", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::rms_norm(norm_variant(weight.dtype), reduce_variant(enc)),
      .bindings = {x, weight, y},
      .params = kernels::RmsNormParams{.dim4 = dim / 4, .eps = eps},
      .constants = one_vector(enc, sharing),
      .workgroups = {rows, 1, 1},
  });
}

}  // namespace handloom::ops
