#include "ops/matmul.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

constexpr uint32_t kTile = 32;  // as in matmul_tile.wgsl

/// A browser has the memory of each workgroup zeroed, which costs a software adapter more than
/// barriers do: the less, the better.
uint32_t tile_depth(const gpu::Encoder& enc) {
  return enc.device().adapter().kind == AdapterKind::software ? 2 : 8;
}

}  // namespace

void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const Matrix& weight, const gpu::Tensor& y) {
  const uint32_t rows = x.dim(0), in_dim = x.dim(1), out_dim = weight.out_dim();

  if (!check_shape(enc, "matmul", "y", y, {rows, out_dim})) return;
  if (!check_matrix(enc, "matmul", weight, out_dim, in_dim)) return;

  for (const Matrix::Part& part : weight.parts) {
    const uint64_t bytes = x.bytes() + part.tensor.bytes() + uint64_t{4} * rows * part.n_rows();
    if (rows <= kMatmulVecRows) {
      const uint32_t n_outputs = outputs_per_workgroup(enc, part.n_rows());
      enc.dispatch({
          .kernel = kernels::matmul_vec(weight_variant(part.tensor.dtype), reduce_variant(enc)),
          .bindings = {x, part.tensor, y},
          .params = with_planes(kernels::MatmulVecParams{.out_dim = part.n_rows(),
                                                         .in_dim4 = in_dim / 4,
                                                         .y_dim = out_dim,
                                                         .first_output = part.first_row},
                                part),
          .constants = team_constants(enc, n_outputs),
          .workgroups = {ceil_div(part.n_rows(), n_outputs), rows, 1},
          .bytes = bytes,
      });
    } else {
      enc.dispatch({
          .kernel = kernels::matmul_tile(weight_variant(part.tensor.dtype)),
          .bindings = {x, part.tensor, y},
          .params = with_planes(kernels::MatmulTileParams{.rows = rows,
                                                          .out_dim = part.n_rows(),
                                                          .in_dim4 = in_dim / 4,
                                                          .y_dim = out_dim,
                                                          .first_output = part.first_row},
                                part),
          .constants = {{"depth", static_cast<double>(tile_depth(enc))}},
          .workgroups = {ceil_div(part.n_rows(), kTile), ceil_div(rows, kTile), 1},
          .bytes = bytes,
      });
    }
  }
}

}  // namespace handloom::ops
