#include "ops/embed.h"

#include "ops/check.h"

namespace handloom::ops {

void embed(gpu::Encoder& enc, const gpu::Tensor& token_ids, const Matrix& weight,
           const gpu::Tensor& x, float scale) {
  const uint32_t rows = token_ids.dim(0), dim = x.dim(1);

  if (!check_shape(enc, "embed", "x", x, {rows, dim})) return;
  if (!check_matrix(enc, "embed", weight, weight.out_dim(), dim)) return;

  for (const Matrix::Part& part : weight.parts) {
    enc.dispatch({
        .kernel = kernels::embed(weight_variant(part.tensor.dtype)),
        .bindings = {token_ids, part.tensor, x},
        .params = with_planes(kernels::EmbedParams{.in_dim4 = dim / 4,
                                                   .scale = scale,
                                                   .first_id = part.first_row,
                                                   .n_ids = part.n_rows()},
                              part),
        .workgroups = {rows, 1, 1},
        .bytes = x.bytes() + rows * part.tensor.bytes() / part.n_rows(),
    });
  }
}

}  // namespace handloom::ops
