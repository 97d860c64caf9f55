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

void embed_input(gpu::Encoder& enc, const gpu::Tensor& token_ids, const Matrix& weight,
                 const gpu::Tensor& gamma, const gpu::Tensor& x, Input& next, float scale) {
  constexpr uint32_t kWorkgroup = 64;
  const uint32_t dim = next.dim, n_blocks = dim / 8;

  if (!check_shape(enc, "embed_input", "token_ids", token_ids, {1})) return;
  if (!check_shape(enc, "embed_input", "gamma", gamma, {dim})) return;
  if (!check_shape(enc, "embed_input", "x", x, {1, dim})) return;
  if (!check_matrix(enc, "embed_input", weight, weight.out_dim(), dim)) return;
  if (!check_next(enc, "embed_input", next, dim)) return;

  for (const Matrix::Part& part : weight.parts) {
    enc.dispatch({
        .kernel = kernels::embed_input(weight_variant(part.tensor.dtype)),
        .bindings = {token_ids, part.tensor, gamma, x, next.words},
        .params = with_planes(kernels::EmbedInputParams{.in_dim4 = dim / 4,
                                                        .next_dim = dim,
                                                        .scale = scale,
                                                        .first_id = part.first_row,
                                                        .n_ids = part.n_rows()},
                              part),
        .constants = {{"workgroup_size", static_cast<double>(kWorkgroup)}, next_format(next)},
        .workgroups = {ceil_div(n_blocks, kWorkgroup), 1, 1},
        .bytes = 3 * x.bytes() + part.tensor.bytes() / part.n_rows(),
    });
  }
  next.n_sums = n_blocks;
}

}  // namespace handloom::ops
