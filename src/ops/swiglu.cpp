#include "ops/swiglu.h"

#include "ops/check.h"

namespace handloom::ops {

void swiglu(gpu::Encoder& enc, const gpu::Tensor& gate_up, const gpu::Tensor& y) {
  const uint32_t rows = y.dim(0), dim = y.dim(1);

  if (!check_shape(enc, "swiglu", "gate_up", gate_up, {rows, 2 * dim})) return;
  if (!check_multiple(enc, "swiglu", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::swiglu(),
      .bindings = {gate_up, y},
      .params = kernels::SwigluParams{.dim4 = dim / 4},
      .workgroups = {ceil_div(dim / 4, 64), rows, 1},
  });
}

}  // namespace handloom::ops
