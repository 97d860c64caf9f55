#include "ops/matmul.h"

#include "ops/check.h"

namespace handloom::ops {
namespace {

constexpr uint32_t kTile = 32;      // as in matmul_tile.wgsl
constexpr uint32_t kLanesTile = 4;  // as in matmul_lanes.wgsl

/// The parameters that both kernels for many rows have.
template <class Params>
Params params_of(const gpu::Tensor& x, const Matrix::Part& part, uint32_t out_dim) {
  return with_planes(Params{.rows = x.dim(0),
                            .out_dim = part.n_rows(),
                            .in_dim4 = x.dim(1) / 4,
                            .y_dim = out_dim,
                            .first_output = part.first_row},
                     part);
}

}  // namespace

void matmul(gpu::Encoder& enc, const gpu::Tensor& x, const Matrix& weight, const gpu::Tensor& y,
            std::optional<Sharing> sharing) {
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
    } else if (sharing.value_or(sharing_on(enc)) == Sharing::lanes) {
      const uint32_t n_lanes = lanes_workgroup(enc);
      enc.dispatch({
          .kernel = kernels::matmul_lanes(weight_variant(part.tensor.dtype)),
          .bindings = {x, part.tensor, y},
          .params = params_of<kernels::MatmulLanesParams>(x, part, out_dim),
          .constants = {{"workgroup_size", static_cast<double>(n_lanes)}},
          .workgroups = {ceil_div(part.n_rows(), kLanesTile * n_lanes), ceil_div(rows, kLanesTile),
                         1},
          .bytes = bytes,
      });
    } else {
      enc.dispatch({
          .kernel = kernels::matmul_tile(weight_variant(part.tensor.dtype)),
          .bindings = {x, part.tensor, y},
          .params = params_of<kernels::MatmulTileParams>(x, part, out_dim),
          .workgroups = {ceil_div(part.n_rows(), kTile), ceil_div(rows, kTile), 1},
          .bytes = bytes,
      });
    }
  }
}

}  // namespace handloom::ops
