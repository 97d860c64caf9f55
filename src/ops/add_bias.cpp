#include "ops/add_bias.h"

#include "ops/check.h"

namespace handloom::ops {

void add_bias(gpu::Encoder& enc, const gpu::Tensor& bias, const gpu::Tensor& y) {
  const uint32_t rows = y.dim(0), dim = y.dim(1);

  if (!check_shape(enc, "add_bias", "bias", bias, {dim})) return;
  if (!check_multiple(enc, "add_bias", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::add_bias(),
      .bindings = {bias, y},
      .params = kernels::AddBiasParams{.dim4 = dim / 4},
      .workgroups = {ceil_div(dim / 4, 64), rows, 1},
      .bytes = bias.bytes() + 2 * y.bytes(),
  });
}

}  // namespace handloom::ops
