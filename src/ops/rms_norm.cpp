#include "ops/rms_norm.h"

#include "ops/check.h"

namespace handloom::ops {

void rms_norm(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& weight,
              const gpu::Tensor& y, float eps) {
  const uint32_t rows = x.dim(0), dim = x.dim(1);

  if (!check_shape(enc, "rms_norm", "weight", weight, {dim})) return;
  if (!check_shape(enc, "rms_norm", "y", y, {rows, dim})) return;
  if (!check_multiple(enc, "rms_norm", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::rms_norm(weight_variant(weight), reduce_variant(enc)),
      .bindings = {x, weight, y},
      .params = kernels::RmsNormParams{.dim4 = dim / 4, .eps = eps},
      .workgroups = {rows, 1, 1},
  });
}

}  // namespace handloom::ops
