#include "ops/add.h"

#include "ops/check.h"

namespace handloom::ops {

void add(gpu::Encoder& enc, const gpu::Tensor& x, const gpu::Tensor& y) {
  const uint32_t rows = x.dim(0), dim = x.dim(1);

  if (!check_shape(enc, "add", "y", y, {rows, dim})) return;
  if (!check_multiple(enc, "add", "dim", dim, 4)) return;

  enc.dispatch({
      .kernel = kernels::add(),
      .bindings = {x, y},
      .params = kernels::AddParams{.dim4 = dim / 4},
      .workgroups = {ceil_div(dim / 4, 64), rows, 1},
      .bytes = 3 * x.bytes(),
  });
}

}  // namespace handloom::ops
