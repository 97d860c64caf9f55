#include "ops/geglu.h"

#include "ops/check.h"

namespace handloom::ops {

void geglu(gpu::Encoder& enc, const gpu::Tensor& gate_up, const gpu::Tensor& y) {
  const uint32_t rows = y.dim(0), dim = y.dim(1);

  if (!check_shape(enc, "geglu", "gate_up", gate_up, {rows, 2 * dim})) return;

  enc.dispatch({
      .kernel = kernels::geglu(),
      .bindings = {gate_up, y},
      .params = kernels::GegluParams{.dim = dim},
      .workgroups = {ceil_div(dim, 64), rows, 1},
  });
}

}  // namespace handloom::ops
